import { waitFor } from '@sandman/sandbox';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SandmanClient } from './client.ts';
import type { SandmanEvent } from './events.ts';
import { answerProblem, startServer, type TestServer } from './server.fixture.ts';

let server: TestServer;
let client: SandmanClient;

beforeEach(async () => {
  server = await startServer();
  client = new SandmanClient({ url: server.url, apiKey: 'test-key', activity: { maxBackoff: 50 } });
});

afterEach(() => server.close());

const change = { uuid: 'one', userId: 'ada', at: '2026-11-24T08:00:00.000Z', from: 'active', to: 'sleeping', cause: 'idle' };
const frame = (id: string, event = 'status', data: unknown = change) => `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
const lastIds = () => server.received.map(({ headers }) => headers['last-event-id'] ?? null);

/** Answers each connection with its own text, then ends the connection, breaks it, or leaves it open. */
function streams(...texts: { text: string; end?: 'whole' | 'broken' }[]): void {
  server.answering = (_, answer) => {
    const { text, end } = texts[server.received.length - 1] ?? { text: '' };
    answer.writeHead(200, { 'content-type': 'text/event-stream' }).write(text, () => {
      if (end === 'whole') answer.end();
      if (end === 'broken') answer.destroy();
    });
  };
}

async function take(count: number, events: AsyncIterable<SandmanEvent>): Promise<SandmanEvent[]> {
  const taken: SandmanEvent[] = [];
  for await (const event of events) if (taken.push(event) === count) break;
  return taken;
}

it('gives every event once, over connections that end and break, also in the middle of one', async () => {
  streams(
    { text: `retry: 1000\nid: 0\n\n${frame('1')}${frame('2')}`, end: 'whole' },
    { text: ':\n\n', end: 'broken' },
    { text: `retry: 1000\nid: 2\n\n:\n\n${frame('3')}id: 4\nevent: status\nda`, end: 'broken' },
    { text: `${frame('9', 'reset', {})}${frame('10')}` },
  );
  const events = await take(5, client.events({ after: 'start' }));
  expect(events.map(({ type, id }) => `${type} ${id}`)).toEqual(['status 1', 'status 2', 'status 3', 'reset 9', 'status 10']);
  expect(events[0]).toEqual({ type: 'status', id: '1', ...change });
  expect(lastIds()).toEqual(['start', '2', '2', '3']);
});

it('goes on where it began, when the connection breaks before the first event', async () => {
  streams({ text: 'retry: 1000\nid: 41\n\n', end: 'broken' }, { text: frame('42') });
  expect(await take(1, client.events())).toMatchObject([{ id: '42' }]);
  expect(lastIds()).toEqual([null, '41']);
});

it('an event is whole however its bytes arrive', async () => {
  const bytes = Buffer.from(frame('1', 'status', { ...change, userId: 'ädä 💤' }));
  server.answering = async (_, answer) => {
    for (const byte of bytes) {
      answer.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  expect(await take(1, client.events())).toMatchObject([{ id: '1', userId: 'ädä 💤' }]);
});

it('breaking off the loop, and its signal, close the connection', async () => {
  let open = 0;
  server.answering = (_, answer) => {
    open += 1;
    answer.on('close', () => (open -= 1)).write(frame('1'));
  };
  await take(1, client.events());
  await waitFor('it is closed', () => open === 0);
  const end = new AbortController();
  const seen: SandmanEvent[] = [];
  for await (const event of client.events({ signal: end.signal })) {
    seen.push(event);
    setTimeout(() => end.abort(), 50);
  }
  expect(seen).toHaveLength(1);
  await waitFor('it is closed', () => open === 0);
  expect(await take(1, client.events({ signal: end.signal }))).toEqual([]);
  expect(server.received).toHaveLength(2);
});

it('waits and comes back while Sandman is away, and keeps to a Retry-After', async () => {
  server.answering = (_, answer) => {
    const turn = server.received.length;
    if (turn === 1) answer.destroy();
    else if (turn === 2) answerProblem(answer, 503, 'not-ready', { 'retry-after': '1' });
    else answer.write(frame('1'));
  };
  expect(await take(1, client.events())).toHaveLength(1);
  const [first, second, third] = server.received;
  expect(second!.at - first!.at).toBeGreaterThanOrEqual(20);
  expect(third!.at - second!.at).toBeGreaterThanOrEqual(990);
});

it.each([
  [401, 'unauthorized'],
  [400, 'invalid-request'],
])('gives up where it would be refused again: %d', async (status, code) => {
  server.answering = (_, answer) => answerProblem(answer, status, code);
  await expect(take(1, client.events())).rejects.toMatchObject({ status, code });
  expect(server.received).toHaveLength(1);
});

it('refuses an id that cannot be one', async () => {
  await expect(take(1, client.events({ after: 'a\nb' }))).rejects.toThrow('after must be the id of an event');
});

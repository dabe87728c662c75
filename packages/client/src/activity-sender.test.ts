import { freePort, waitFor } from '@sandman/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SandmanClient } from './client.ts';
import type { Drop } from './drops.ts';
import type { ActivityBounds } from './options.ts';
import { accepting, answerJson, answerProblem, startServer, type TestServer } from './server.fixture.ts';

let server: TestServer;
let clients: SandmanClient[];
let drops: Drop[];

beforeEach(async () => {
  server = await startServer();
  clients = [];
  drops = [];
});

afterEach(async () => {
  await Promise.all(clients.map((client) => client.close({ timeout: 0 })));
  await server.close();
});

function clientWith(activity: ActivityBounds = {}, more: { url?: string; timeout?: number } = {}): SandmanClient {
  const client = new SandmanClient({ url: server.url, apiKey: 'test-key', activity, onDrop: (drop) => drops.push(drop), ...more });
  clients.push(client);
  return client;
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `session-${i}`);
const batches = () => server.received.map(({ body }) => body.events as { uuid: string; userId?: string; kind: string; at?: string }[]);
const dropped = () => drops.flatMap(({ reason, events = [] }) => events.map(({ uuid, userId }) => `${uuid ?? userId} ${reason}`));

describe('what is sent', () => {
  it('of many pings of a session one goes, as of when it arrives: our clock may be wrong', async () => {
    const client = clientWith();
    for (let ping = 0; ping < 50; ping++) client.activity('one');
    client.activity('one', { kind: 'background' });
    client.userActivity('ada');
    await client.flush();
    const [batch] = batches();
    expect(batches()).toHaveLength(1);
    expect(batch!.map(({ uuid, userId, kind }) => [uuid ?? userId, kind])).toEqual([
      ['one', 'user'],
      ['one', 'background'],
      ['ada', 'user'],
    ]);
    expect(batch!.map(({ at }) => at)).toEqual([undefined, undefined, undefined]);
    expect(server.received[0]!.headers['x-api-key']).toBe('test-key');
    expect(client.stats()).toEqual({ buffered: 0, sent: 3, dropped: 0 });
  });

  it('goes by itself, soon after the first', async () => {
    const client = clientWith();
    const askedAt = performance.now();
    client.activity('one');
    await waitFor('it arrived', () => server.received.length === 1);
    expect(server.received[0]!.at - askedAt).toBeLessThan(1_000);
    await waitFor('that is known', () => client.stats().sent === 1);
  });

  it('as much as goes in one call waits for no more', async () => {
    const client = clientWith({ flushAfter: 60_000 });
    for (const uuid of names(999)) client.activity(uuid);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(server.received).toEqual([]);
    client.activity('last');
    await waitFor('it goes', () => server.received.length === 1, 5_000);
    await waitFor('all has arrived', () => client.stats().sent === 1_000);
  });

  it('goes in batches of at most 1,000, one call at a time', async () => {
    let [running, most] = [0, 0];
    server.answering = (received, answer) => {
      most = Math.max(most, ++running);
      setTimeout(() => {
        running -= 1;
        accepting(received, answer);
      }, 30);
    };
    const client = clientWith();
    for (const uuid of names(2_500)) client.activity(uuid);
    await client.flush();
    expect(batches().map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
    expect(
      batches()
        .flat()
        .map(({ uuid }) => uuid),
    ).toEqual(names(2_500));
    expect(most).toBe(1);
  });

  it('stays below what Sandman takes, however long its users are', async () => {
    const client = clientWith();
    for (let i = 0; i < 1_000; i++) client.userActivity(`${i}`.padStart(5, '0') + '💤'.repeat(250));
    await client.flush();
    expect(batches().flat()).toHaveLength(1_000);
    for (const { headers } of server.received) expect(Number(headers['content-length'])).toBeLessThan(1_048_576);
  });

  it('what happens again while it is under way goes again, behind those that wait', async () => {
    const client = clientWith();
    server.answering = (received, answer) => {
      if (server.received.length === 1) for (const uuid of ['other', 'one']) client.activity(uuid);
      accepting(received, answer);
    };
    client.activity('one');
    await client.flush();
    await client.flush();
    expect(batches().map((batch) => batch.map(({ uuid }) => uuid))).toEqual([['one'], ['other', 'one']]);
    expect(client.stats()).toEqual({ buffered: 0, sent: 3, dropped: 0 });
  });
});

it('a flush waits for what came before it, and not for what comes after', async () => {
  const client = clientWith();
  server.answering = (received, answer) => {
    client.activity('busy');
    accepting(received, answer);
  };
  client.activity('busy');
  await client.flush();
  expect(server.received).toHaveLength(1);
  server.answering = accepting;
});

describe('while Sandman is away', () => {
  it.each([
    ['answers 500', (answer: Parameters<TestServer['answering']>[1]) => answerProblem(answer, 500, 'internal')],
    ['answers what is not JSON', (answer: Parameters<TestServer['answering']>[1]) => void answer.end('<html>')],
    ['breaks the connection', (answer: Parameters<TestServer['answering']>[1]) => void answer.destroy()],
    ['does not answer', () => {}],
  ])('%s: it is tried again, and the newest is what arrives', async (_, fail) => {
    const client = clientWith({ maxBackoff: 50 }, { timeout: 100 });
    server.answering = (received, answer) => (server.received.length < 4 ? fail(answer) : accepting(received, answer));
    client.activity('one');
    client.activity('two');
    await waitFor('it was tried', () => server.received.length === 2);
    client.activity('one');
    await client.flush();
    const last = batches().at(-1)!;
    expect(last.map(({ uuid }) => uuid)).toEqual(['one', 'two']);
    expect(client.stats()).toEqual({ buffered: 0, sent: 2, dropped: 0 });
  });

  it('what waited for longer than a second arrives with the time of the newest, and of each its own', async () => {
    const client = clientWith({ maxBackoff: 50 });
    server.answering = (_, answer) => answerProblem(answer, 500, 'internal');
    client.activity('one');
    client.activity('two');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = Date.now();
    client.activity('one');
    const after = Date.now();
    await waitFor('a second is over', () => Date.now() > after + 1_000);
    server.answering = accepting;
    client.activity('three');
    await client.flush();
    const [one, two, three] = batches().at(-1)!;
    expect([one, two, three].map((event) => event?.uuid)).toEqual(['one', 'two', 'three']);
    expect(Date.parse(one!.at!)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(one!.at!)).toBeLessThanOrEqual(after);
    expect(Date.parse(two!.at!)).toBeLessThan(before);
    expect(three!.at).toBeUndefined();
  });

  it('nobody listens: it arrives when somebody does', async () => {
    const port = await freePort();
    const client = clientWith({ maxBackoff: 50 }, { url: `http://127.0.0.1:${port}` });
    client.activity('one');
    await new Promise((resolve) => setTimeout(resolve, 300));
    const late = await startServer(accepting, port);
    await client.flush();
    expect(late.received).toHaveLength(1);
    await late.close();
  });

  it('keeps to a Retry-After, also where somebody waits', async () => {
    const client = clientWith({ maxBackoff: 1 });
    server.answering = (received, answer) =>
      server.received.length === 1 ? answerProblem(answer, 503, 'not-ready', { 'retry-after': '1' }) : accepting(received, answer);
    client.activity('one');
    await client.flush();
    const [first, second] = server.received;
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(990);
  });

  it('waits longer after each failure, up to its bound', async () => {
    const client = clientWith({ maxBackoff: 400 });
    server.answering = (_, answer) => answerProblem(answer, 502, 'internal');
    client.activity('one');
    await waitFor('it was tried five times', () => server.received.length === 5);
    const waits = server.received.slice(1).map(({ at }, i) => at - server.received[i]!.at);
    expect(waits[0]).toBeGreaterThanOrEqual(99);
    for (const wait of waits.slice(1)) expect(wait).toBeGreaterThanOrEqual(199);
  });

  it('keeps the sessions that were active last, and reports the others', async () => {
    const client = clientWith({ maxBuffered: 10, maxBackoff: 50 });
    server.answering = (_, answer) => answerProblem(answer, 503, 'not-ready');
    for (const uuid of names(10)) client.activity(uuid);
    client.activity('session-0');
    for (const uuid of ['new-0', 'new-1']) client.activity(uuid);
    expect(dropped()).toEqual(['session-1 full', 'session-2 full']);
    expect(client.stats()).toEqual({ buffered: 10, sent: 0, dropped: 2 });
    server.answering = accepting;
    await client.flush();
    expect(
      new Set(
        batches()
          .at(-1)!
          .map(({ uuid }) => uuid),
      ),
    ).toEqual(new Set(['session-0', ...names(10).slice(3), 'new-0', 'new-1']));
  });

  it('what is too old to matter is given up', async () => {
    const client = clientWith({ maxAge: 150, maxBackoff: 50 });
    server.answering = (_, answer) => answerProblem(answer, 500, 'internal');
    client.activity('one');
    await client.flush();
    expect(dropped()).toEqual(['one too-old']);
    expect(client.stats()).toEqual({ buffered: 0, sent: 0, dropped: 1 });
  });
});

describe('what Sandman refuses is reported, and not sent again', () => {
  it('one by one', async () => {
    server.answering = (_, answer) =>
      answerJson(answer, 202, {
        accepted: 1,
        rejected: [
          { index: 0, code: 'session-not-found' },
          { index: 2, code: 'session-deleted' },
        ],
      });
    const client = clientWith();
    for (const uuid of ['stranger', 'known', 'deleted']) client.activity(uuid);
    await client.flush();
    expect(dropped()).toEqual(['stranger session-not-found', 'deleted session-deleted']);
    expect(client.stats()).toEqual({ buffered: 0, sent: 1, dropped: 2 });
    expect(server.received).toHaveLength(1);
  });

  it.each([
    [401, 'unauthorized'],
    [400, 'invalid-request'],
  ])('a whole call: %d', async (status, code) => {
    server.answering = (_, answer) => answerProblem(answer, status, code);
    const client = clientWith({ maxBackoff: 1 });
    for (const uuid of ['one', 'two']) client.activity(uuid);
    await client.flush();
    expect(drops).toMatchObject([{ count: 2, reason: code }]);
    expect(server.received).toHaveLength(1);
  });
});

describe('close', () => {
  it('delivers what waits', async () => {
    {
      await using client = clientWith({ flushAfter: 60_000 });
      client.activity('one');
    }
    expect(batches().flat()).toMatchObject([{ uuid: 'one' }]);
    expect(drops).toEqual([]);
  });

  it('is bounded, reports what it could not deliver, and ends the call under way', async () => {
    let ended = false;
    server.answering = (_, answer) => void answer.on('close', () => (ended = true));
    const client = clientWith();
    client.activity('one');
    await waitFor('it is under way', () => server.received.length === 1);
    client.activity('two');
    const askedAt = performance.now();
    await Promise.all([client.close({ timeout: 200 }), client.close()]);
    expect(performance.now() - askedAt).toBeLessThan(1_000);
    expect(dropped()).toEqual(['one closed', 'two closed']);
    client.activity('three');
    expect(dropped()).toEqual(['one closed', 'two closed', 'three closed']);
    expect(client.stats()).toEqual({ buffered: 0, sent: 0, dropped: 3 });
    await waitFor('the call ended', () => ended);
    expect(server.received).toHaveLength(1);
  });
});

describe('nothing is thrown into the caller', () => {
  const unreadable = {
    get kind(): never {
      throw new Error('unreadable');
    },
  };
  it.each([undefined, null, 7, Symbol('uuid'), {}, [], '', 'a b', 'x'.repeat(65), '../../sessions'])('whatever the uuid is: %s', (uuid) => {
    const client = clientWith();
    client.activity(uuid as never);
    expect(drops).toEqual([{ count: 1, reason: 'invalid' }]);
  });

  it.each([undefined, null, 7, '', 'x'.repeat(256), 'half \ud83d'])('whatever the user is: %s', (userId) => {
    const client = clientWith();
    client.userActivity(userId as never);
    expect(drops).toEqual([{ count: 1, reason: 'invalid' }]);
  });

  it.each([{ kind: 'robot' }, { kind: 7 }, unreadable])('whatever the options are', (options) => {
    const client = clientWith();
    client.activity('one', options as never);
    expect(drops).toEqual([{ count: 1, reason: 'invalid' }]);
    client.activity('one', null as never);
    client.activity('one', 7 as never);
    expect(client.stats()).toMatchObject({ buffered: 1, dropped: 1 });
  });

  it('whatever onDrop does', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    for (const onDrop of [() => Promise.reject(new Error('later')), () => expect.unreachable('at once')]) {
      const client = new SandmanClient({ url: server.url, apiKey: 'test-key', onDrop: onDrop as never });
      clients.push(client);
      client.activity('not a uuid');
      client.activity('one');
      await client.flush();
    }
    expect(batches().flat()).toHaveLength(2);
    expect(warn).toHaveBeenCalledTimes(2);
    warn.mockRestore();
  });

  it('and the console hears of it once in a while', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const client = new SandmanClient({ url: server.url, apiKey: 'test-key' });
    clients.push(client);
    for (let i = 0; i < 100; i++) client.activity('not a uuid');
    expect(warn.mock.calls).toEqual([['sandman: activity dropped: invalid 1']]);
    warn.mockRestore();
  });
});

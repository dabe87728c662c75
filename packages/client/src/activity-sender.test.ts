import { freePort, waitFor } from '@sandman/sandbox';
import { describe, expect, it, vi } from 'vitest';
import { SandmanClient } from './client.ts';
import type { Drop } from './drops.ts';
import type { ActivityBounds } from './options.ts';
import { accepting, answerJson, answerProblem, startServer, type TestServer } from './server.fixture.ts';

/** A test's own server in Sandman's place, and the clients that send to it. */
class Place implements AsyncDisposable {
  readonly server: TestServer;
  readonly clients: SandmanClient[] = [];
  readonly drops: Drop[] = [];

  private constructor(server: TestServer) {
    this.server = server;
  }

  static async start(): Promise<Place> {
    return new Place(await startServer());
  }

  clientWith(activity: ActivityBounds = {}, more: { url?: string; timeout?: number } = {}): SandmanClient {
    const onDrop = (drop: Drop) => this.drops.push(drop);
    const client = new SandmanClient({ url: this.server.url, apiKey: 'test-key', activity, onDrop, ...more });
    this.clients.push(client);
    return client;
  }

  batches() {
    return this.server.received.map(({ body }) => body.events as { uuid: string; userId?: string; kind: string; at?: string }[]);
  }

  dropped() {
    return this.drops.flatMap(({ reason, events = [] }) => events.map(({ uuid, userId }) => `${uuid ?? userId} ${reason}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close({ timeout: 0 })));
    await this.server.close();
  }
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `session-${i}`);

describe.concurrent('what is sent', () => {
  it('of many pings of a session one goes, as of when it arrives: our clock may be wrong', async () => {
    await using on = await Place.start();
    const client = on.clientWith();
    for (let ping = 0; ping < 50; ping++) client.activity('one');
    client.activity('one', { kind: 'background' });
    client.userActivity('ada');
    await client.flush();
    const [batch] = on.batches();
    expect(on.batches()).toHaveLength(1);
    expect(batch!.map(({ uuid, userId, kind }) => [uuid ?? userId, kind])).toEqual([
      ['one', 'user'],
      ['one', 'background'],
      ['ada', 'user'],
    ]);
    expect(batch!.map(({ at }) => at)).toEqual([undefined, undefined, undefined]);
    expect(on.server.received[0]!.headers['x-api-key']).toBe('test-key');
    expect(client.stats()).toEqual({ buffered: 0, sent: 3, dropped: 0 });
  });

  it('goes by itself, soon after the first', async () => {
    await using on = await Place.start();
    const client = on.clientWith();
    const askedAt = performance.now();
    client.activity('one');
    await waitFor('it arrived', () => on.server.received.length === 1);
    expect(on.server.received[0]!.at - askedAt).toBeLessThan(1_000);
    await waitFor('that is known', () => client.stats().sent === 1);
  });

  it('as much as goes in one call waits for no more', async () => {
    await using on = await Place.start();
    const client = on.clientWith({ flushAfter: 60_000 });
    for (const uuid of names(999)) client.activity(uuid);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(on.server.received).toEqual([]);
    client.activity('last');
    await waitFor('it goes', () => on.server.received.length === 1, 5_000);
    await waitFor('all has arrived', () => client.stats().sent === 1_000);
  });

  it('goes in batches of at most 1,000, one call at a time', async () => {
    await using on = await Place.start();
    let [running, most] = [0, 0];
    on.server.answering = (received, answer) => {
      most = Math.max(most, ++running);
      setTimeout(() => {
        running -= 1;
        accepting(received, answer);
      }, 30);
    };
    const client = on.clientWith();
    for (const uuid of names(2_500)) client.activity(uuid);
    await client.flush();
    expect(on.batches().map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
    expect(
      on
        .batches()
        .flat()
        .map(({ uuid }) => uuid),
    ).toEqual(names(2_500));
    expect(most).toBe(1);
  });

  it('stays below what Sandman takes, however long its users are', async () => {
    await using on = await Place.start();
    const client = on.clientWith();
    for (let i = 0; i < 1_000; i++) client.userActivity(`${i}`.padStart(5, '0') + '💤'.repeat(250));
    await client.flush();
    expect(on.batches().flat()).toHaveLength(1_000);
    for (const { headers } of on.server.received) expect(Number(headers['content-length'])).toBeLessThan(1_048_576);
  });

  it('what happens again while it is under way goes again, behind those that wait', async () => {
    await using on = await Place.start();
    const client = on.clientWith();
    on.server.answering = (received, answer) => {
      if (on.server.received.length === 1) for (const uuid of ['other', 'one']) client.activity(uuid);
      accepting(received, answer);
    };
    client.activity('one');
    await client.flush();
    await client.flush();
    expect(on.batches().map((batch) => batch.map(({ uuid }) => uuid))).toEqual([['one'], ['other', 'one']]);
    expect(client.stats()).toEqual({ buffered: 0, sent: 3, dropped: 0 });
  });
});

it('a flush waits for what came before it, and not for what comes after', async () => {
  await using on = await Place.start();
  const client = on.clientWith();
  on.server.answering = (received, answer) => {
    client.activity('busy');
    accepting(received, answer);
  };
  client.activity('busy');
  await client.flush();
  expect(on.server.received).toHaveLength(1);
  on.server.answering = accepting;
});

// Concurrent, because these tests wait for retries.
describe.concurrent('while Sandman is away', () => {
  it.each([
    ['answers 500', (answer: Parameters<TestServer['answering']>[1]) => answerProblem(answer, 500, 'internal')],
    ['answers what is not JSON', (answer: Parameters<TestServer['answering']>[1]) => void answer.end('<html>')],
    ['breaks the connection', (answer: Parameters<TestServer['answering']>[1]) => void answer.destroy()],
    ['does not answer', () => {}],
  ])('%s: it is tried again, and the newest is what arrives', async (_, fail) => {
    await using on = await Place.start();
    const client = on.clientWith({ maxBackoff: 50 }, { timeout: 100 });
    on.server.answering = (received, answer) => (on.server.received.length < 4 ? fail(answer) : accepting(received, answer));
    client.activity('one');
    client.activity('two');
    await waitFor('it was tried', () => on.server.received.length === 2);
    client.activity('one');
    await client.flush();
    const last = on.batches().at(-1)!;
    expect(last.map(({ uuid }) => uuid)).toEqual(['one', 'two']);
    expect(client.stats()).toEqual({ buffered: 0, sent: 2, dropped: 0 });
  });

  it('what waited for longer than a second arrives with the time of the newest, and of each its own', async () => {
    await using on = await Place.start();
    const client = on.clientWith({ maxBackoff: 50 });
    on.server.answering = (_, answer) => answerProblem(answer, 500, 'internal');
    client.activity('one');
    client.activity('two');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = Date.now();
    client.activity('one');
    const after = Date.now();
    await waitFor('a second is over', () => Date.now() > after + 1_000);
    // Also refuses a batch that is in flight now, so that all three events arrive in one batch.
    on.server.answering = (received, answer) =>
      received.body.events.length < 3 ? answerProblem(answer, 500, 'internal') : accepting(received, answer);
    client.activity('three');
    await client.flush();
    const [one, two, three] = on.batches().at(-1)!;
    expect([one, two, three].map((event) => event?.uuid)).toEqual(['one', 'two', 'three']);
    expect(Date.parse(one!.at!)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(one!.at!)).toBeLessThanOrEqual(after);
    expect(Date.parse(two!.at!)).toBeLessThan(before);
    expect(three!.at).toBeUndefined();
  });

  it('refused connections: it arrives when Sandman listens again', async () => {
    await using on = await Place.start();
    const port = await freePort();
    const client = on.clientWith({ maxBackoff: 50 }, { url: `http://127.0.0.1:${port}` });
    client.activity('one');
    await new Promise((resolve) => setTimeout(resolve, 300));
    const late = await startServer(accepting, port);
    await client.flush();
    expect(late.received).toHaveLength(1);
    await late.close();
  });

  it('keeps to a Retry-After, also where a flush waits', async () => {
    await using on = await Place.start();
    const client = on.clientWith({ maxBackoff: 1 });
    on.server.answering = (received, answer) =>
      on.server.received.length === 1 ? answerProblem(answer, 503, 'not-ready', { 'retry-after': '1' }) : accepting(received, answer);
    client.activity('one');
    await client.flush();
    const [first, second] = on.server.received;
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(990);
  });

  it('waits longer after each failure, up to its bound', async () => {
    await using on = await Place.start();
    const client = on.clientWith({ maxBackoff: 400 });
    on.server.answering = (_, answer) => answerProblem(answer, 502, 'internal');
    client.activity('one');
    await waitFor('it was tried five times', () => on.server.received.length === 5);
    const waits = on.server.received.slice(1).map(({ at }, i) => at - on.server.received[i]!.at);
    expect(waits[0]).toBeGreaterThanOrEqual(99);
    for (const wait of waits.slice(1)) expect(wait).toBeGreaterThanOrEqual(199);
  });

  it('keeps the sessions that were active last, and reports the others', async () => {
    await using on = await Place.start();
    const client = on.clientWith({ maxBuffered: 10, maxBackoff: 50 });
    on.server.answering = (_, answer) => answerProblem(answer, 503, 'not-ready');
    for (const uuid of names(10)) client.activity(uuid);
    client.activity('session-0');
    for (const uuid of ['new-0', 'new-1']) client.activity(uuid);
    expect(on.dropped()).toEqual(['session-1 full', 'session-2 full']);
    expect(client.stats()).toEqual({ buffered: 10, sent: 0, dropped: 2 });
    on.server.answering = accepting;
    await client.flush();
    expect(
      new Set(
        on
          .batches()
          .at(-1)!
          .map(({ uuid }) => uuid),
      ),
    ).toEqual(new Set(['session-0', ...names(10).slice(3), 'new-0', 'new-1']));
  });

  it('what is too old to matter is given up', async () => {
    await using on = await Place.start();
    const client = on.clientWith({ maxAge: 150, maxBackoff: 50 });
    on.server.answering = (_, answer) => answerProblem(answer, 500, 'internal');
    client.activity('one');
    await client.flush();
    expect(on.dropped()).toEqual(['one too-old']);
    expect(client.stats()).toEqual({ buffered: 0, sent: 0, dropped: 1 });
  });
});

describe('what Sandman refuses is reported, and not sent again', () => {
  it('one by one', async () => {
    await using on = await Place.start();
    on.server.answering = (_, answer) =>
      answerJson(answer, 202, {
        accepted: 1,
        rejected: [
          { index: 0, code: 'session-not-found' },
          { index: 2, code: 'session-deleted' },
        ],
      });
    const client = on.clientWith();
    for (const uuid of ['stranger', 'known', 'deleted']) client.activity(uuid);
    await client.flush();
    expect(on.dropped()).toEqual(['stranger session-not-found', 'deleted session-deleted']);
    expect(client.stats()).toEqual({ buffered: 0, sent: 1, dropped: 2 });
    expect(on.server.received).toHaveLength(1);
  });

  it.each([
    [401, 'unauthorized'],
    [400, 'invalid-request'],
  ])('a whole call: %d', async (status, code) => {
    await using on = await Place.start();
    on.server.answering = (_, answer) => answerProblem(answer, status, code);
    const client = on.clientWith({ maxBackoff: 1 });
    for (const uuid of ['one', 'two']) client.activity(uuid);
    await client.flush();
    expect(on.drops).toMatchObject([{ count: 2, reason: code }]);
    expect(on.server.received).toHaveLength(1);
  });
});

describe.concurrent('close', () => {
  it('delivers what waits', async () => {
    await using on = await Place.start();
    {
      await using client = on.clientWith({ flushAfter: 60_000 });
      client.activity('one');
    }
    expect(on.batches().flat()).toMatchObject([{ uuid: 'one' }]);
    expect(on.drops).toEqual([]);
  });

  it('is bounded, reports what it could not deliver, and ends the call under way', async () => {
    await using on = await Place.start();
    let ended = false;
    on.server.answering = (_, answer) => void answer.on('close', () => (ended = true));
    const client = on.clientWith();
    client.activity('one');
    await waitFor('it is under way', () => on.server.received.length === 1);
    client.activity('two');
    const askedAt = performance.now();
    await Promise.all([client.close({ timeout: 200 }), client.close()]);
    expect(performance.now() - askedAt).toBeLessThan(1_000);
    expect(on.dropped()).toEqual(['one closed', 'two closed']);
    client.activity('three');
    expect(on.dropped()).toEqual(['one closed', 'two closed', 'three closed']);
    expect(client.stats()).toEqual({ buffered: 0, sent: 0, dropped: 3 });
    await waitFor('the call ended', () => ended);
    expect(on.server.received).toHaveLength(1);
  });
});

describe('nothing is thrown into the caller', () => {
  const unreadable = {
    get kind(): never {
      throw new Error('unreadable');
    },
  };
  it.each([undefined, null, 7, Symbol('uuid'), {}, [], '', 'a b', 'x'.repeat(65), '../../sessions'])(
    'whatever the uuid is: %s',
    async (uuid) => {
      await using on = await Place.start();
      const client = on.clientWith();
      client.activity(uuid as never);
      expect(on.drops).toEqual([{ count: 1, reason: 'invalid' }]);
    },
  );

  it.each([undefined, null, 7, '', 'x'.repeat(256), 'half \ud83d'])('whatever the user is: %s', async (userId) => {
    await using on = await Place.start();
    const client = on.clientWith();
    client.userActivity(userId as never);
    expect(on.drops).toEqual([{ count: 1, reason: 'invalid' }]);
  });

  it.each([{ kind: 'robot' }, { kind: 7 }, unreadable])('whatever the options are', async (options) => {
    await using on = await Place.start();
    const client = on.clientWith();
    client.activity('one', options as never);
    expect(on.drops).toEqual([{ count: 1, reason: 'invalid' }]);
    client.activity('one', null as never);
    client.activity('one', 7 as never);
    expect(client.stats()).toMatchObject({ buffered: 1, dropped: 1 });
  });

  it('whatever onDrop does', async () => {
    await using on = await Place.start();
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    for (const onDrop of [() => Promise.reject(new Error('later')), () => expect.unreachable('at once')]) {
      const client = new SandmanClient({ url: on.server.url, apiKey: 'test-key', onDrop: onDrop as never });
      on.clients.push(client);
      client.activity('not a uuid');
      client.activity('one');
      await client.flush();
    }
    expect(on.batches().flat()).toHaveLength(2);
    expect(warn).toHaveBeenCalledTimes(2);
    warn.mockRestore();
  });

  it('and the console hears of it once in a while', async () => {
    await using on = await Place.start();
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const client = new SandmanClient({ url: on.server.url, apiKey: 'test-key' });
    on.clients.push(client);
    for (let i = 0; i < 100; i++) client.activity('not a uuid');
    expect(warn.mock.calls).toEqual([['sandman: activity dropped: invalid 1']]);
    warn.mockRestore();
  });
});

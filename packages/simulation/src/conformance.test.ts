import {
  HEARTBEAT_STALE_MS,
  newSession,
  type OwnedSession,
  type PoliciesInForce,
  PolicySet,
  Random,
  type Reading,
  type SessionRecord,
  type SessionStore,
  statusOf,
  TOMBSTONE_MS,
} from '@sandman/core';
import { type FoundRedis, redisForTests } from '@sandman/sandbox';
import { FIELDS, RedisPolicies, RedisSessionStore } from '@sandman/store';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MemoryPolicies, NO_POLICIES } from './memory-policies.ts';
import { emptyShard, MemoryStore } from './memory-store.ts';

const STEPS = 600;
const SLACK_PERCENT = 1;
const UUIDS = ['a1', 'b2', 'c3'];

let found: FoundRedis;
let redis: Redis;

beforeAll(async () => {
  found = await redisForTests();
  redis = new Redis(found.url, { maxRetriesPerRequest: null });
});

afterAll(async () => {
  redis?.disconnect();
  await found?.stop();
});

/** Runs each step in the Lua scripts, then in their model in memory, at the time that Redis gave. */
class Pair {
  readonly lua: RedisSessionStore;
  readonly memory: MemoryStore;
  readonly #state = emptyShard();
  readonly #tag: string;
  #clock = { now: 0, ceiling: 0 };

  constructor(prefix: string) {
    this.#tag = `{${prefix}:0}`;
    this.lua = new RedisSessionStore(redis, { prefix, shards: 1, slack: SLACK_PERCENT });
    this.memory = new MemoryStore({
      state: this.#state,
      clock: () => this.#clock,
      command: async (effect) => effect(),
      slack: SLACK_PERCENT,
    });
  }

  /** Runs a step in both stores and expects the same answer. */
  async same<T>(step: (store: SessionStore) => Promise<T>): Promise<T> {
    this.#at(await this.lua.read(UUIDS[0]!));
    const expected = await step(this.lua);
    if (typeof expected === 'object' && expected !== null && 'now' in expected) this.#at(expected as unknown as Reading);
    expect(await step(this.memory)).toEqual(expected);
    return expected;
  }

  /**
   * Expects the last heartbeats of both stores to be at most `HEARTBEAT_STALE_MS` apart, and copies that of Redis to the model.
   * They differ by a few ms, because each store notes by itself when it sent one.
   */
  async agreeOnBeat(): Promise<void> {
    const lastHeartbeat = Number(await redis.hget(`${this.#tag}:ingest`, 'beat'));
    expect(Math.abs(this.#state.intake.lastHeartbeat - lastHeartbeat)).toBeLessThanOrEqual(HEARTBEAT_STALE_MS);
    this.#state.intake = { ...this.#state.intake, lastHeartbeat };
  }

  /** Moves the last heartbeat back by `ms`. */
  async ageBeat(ms: number): Promise<void> {
    if (this.#state.intake.lastHeartbeat === 0) return;
    const lastHeartbeat = this.#state.intake.lastHeartbeat - ms;
    this.#state.intake = { ...this.#state.intake, lastHeartbeat };
    await redis.hset(`${this.#tag}:ingest`, 'beat', lastHeartbeat);
  }

  /** Sets the record's `rev` back by one, as if Redis had come back without the last write. */
  async forget({ uuid, rev }: SessionRecord): Promise<void> {
    const stored = this.#state.records.get(uuid)!;
    this.#state.records.set(uuid, { ...stored, rev: rev - 1 });
    await redis.hset(`${this.#tag}:session:${uuid}`, FIELDS.rev, rev - 1);
  }

  /** Moves the delete of a session to over a day ago, so that its tombstone is due. */
  async age({ uuid }: SessionRecord): Promise<void> {
    const deletedAt = this.#clock.now - TOMBSTONE_MS - 2_000;
    this.#state.records.set(uuid, { ...this.#state.records.get(uuid)!, deletedAt });
    await redis.hset(`${this.#tag}:session:${uuid}`, FIELDS.deletedAt, deletedAt);
    await redis.zadd(`${this.#tag}:tombstones`, deletedAt, uuid);
  }

  #at({ now, record }: Reading): void {
    // The clock of Redis is finer than 1 ms: `touch` rounds the time of an activity up.
    const ceiling = record && Math.max(record.lastActivity, record.lastBackground) === now + 1 ? now + 1 : now;
    this.#clock = { now, ceiling };
  }
}

const book = new PolicySet();

function birthOf(userId: string, former: SessionRecord | null, now: number) {
  const policy = book.resolve(userId === 'eve' ? 'simple' : { sleepAfter: '2s', deleteAfter: '5s' });
  return newSession({ userId, workspaceUrl: '', policy, cause: 'created' }, former, now);
}

/** Runs one random step. All random values are drawn before it, so that both stores get the same call. */
async function step(pair: Pair, random: Random, known: Map<string, SessionRecord>): Promise<string> {
  const uuid = random.pick(UUIDS);
  const record = known.get(uuid) ?? null;
  const now = (await pair.lua.read(uuid)).now;
  const remember = (reading: Reading) => {
    if (reading.record && random.chance(0.9)) known.set(uuid, reading.record);
  };
  const what = random.between(0, 15);
  switch (what) {
    case 0: {
      const former = record?.pod === 'gone' ? record : null;
      const patch = birthOf(random.pick(['ada', 'eve']), former, now);
      remember(await pair.same((store) => store.commit(uuid, former, { patch, alarms: true })));
      return 'create';
    }
    case 1:
    case 2:
    case 3: {
      const at = random.pick([null, now - random.between(0, 9_000), now + 9_000]);
      const kind = random.pick(['user', 'background'] as const);
      remember(await pair.same((store) => store.touch(uuid, kind, at)));
      return 'touch';
    }
    case 4:
    case 5:
    case 6: {
      if (!record) return 'nothing';
      const patch = random.pick([
        { wanted: 'asleep', cause: 'idle' },
        { wanted: 'awake', cause: 'activity', sleptAt: 0 },
        { pod: 'asleep', sleptAt: now },
        { pod: 'awake' },
        { pod: 'unknown', verifyAt: now + 500 },
        { wanted: 'gone', pod: 'gone', cause: 'logout', deletedAt: now },
        { failures: 3, lastError: 'HTTP 500', retryAt: now + 100 },
        { policy: book.resolve('aggressive') },
      ] as const);
      const alarms = random.chance(0.5);
      remember(await pair.same((store) => store.commit(uuid, record, { patch, alarms })));
      return 'commit';
    }
    case 7:
      if (!record) return 'nothing';
      remember(
        await pair.same((store) => store.commit(uuid, record, { patch: { action: 'sleep', token: 't1' }, alarms: false, lease: 8_000 })),
      );
      return 'begin';
    case 8: {
      const token = random.pick(['t1', 't2', 't1']);
      remember(await pair.same((store) => store.renew(uuid, token, 5_000)));
      return 'renew';
    }
    case 9: {
      const n = random.chance(0.5) ? (record?.n ?? 0) : 1;
      await pair.same((store) => store.unmark(uuid, n));
      return 'unmark';
    }
    case 10: {
      const age = random.chance(0.8) ? 0 : 3_600_000;
      await pair.same((store) => store.marked(age));
      return 'marked';
    }
    case 11: {
      const limit = random.between(1, 3);
      const filter = random.pick([
        {},
        { userId: 'ada' },
        { status: 'sleeping' },
        { status: 'deleted' },
        { userId: 'eve', status: 'active' },
      ] as const);
      const page = await pair.same((store) => store.list(filter, limit, null).then(atNoTime));
      if (page.cursor) await pair.same((store) => store.list(filter, 2, page.cursor).then(atNoTime));
      await pair.same((store) => store.count());
      return 'list';
    }
    case 12:
      await pair.same((store) => store.walk(0, 2).then((items) => items.map(({ record: { uuid: id } }) => id)));
      return 'walk';
    case 13: {
      // 0, or so long that the few ms between the two stores make no difference.
      const least = random.pick([0, 3_600_000]);
      await pair.same(async (store) => {
        const turn = await store.patrol(0, least);
        return turn.kind === 'next' ? turn : turn.kind;
      });
      return 'patrol';
    }
    case 14: {
      const users = random.pick([['ada'], ['eve', 'ada'], ['ad', 'ada', 'bob', 'eve', 'zoe'], ['bob'], []]);
      await pair.same(async (store) => {
        const found: OwnedSession[] = [];
        for await (const page of store.ofUsers(0, users)) found.push(...page);
        return found.sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
      });
      return 'of users';
    }
    default: {
      const open = random.chance(0.7);
      if (random.chance(0.3)) await pair.ageBeat(random.pick([1_000, 3_000, -60_000]));
      if (record && random.chance(0.2)) {
        const reading = await pair.lua.read(uuid);
        if (reading.record && reading.record.rev > 1) await pair.forget(reading.record);
      }
      await pair.same((store) => store.heartbeat(0, open));
      await pair.agreeOnBeat();
      const { record: stored } = await pair.lua.read(uuid);
      if (stored && statusOf(stored) === 'deleted') {
        await pair.age(stored);
        await pair.same((store) => store.removeTombstones());
        known.delete(uuid);
      }
      return 'heartbeat';
    }
  }
}

/** Takes the time of the read out of a page, because it differs between the stores. */
function atNoTime<T extends { readonly items: readonly Reading[]; readonly cursor: string | null }>({ items, cursor }: T) {
  return { items: items.map(({ record }) => record), cursor };
}

for (const seed of [1, 2, 3, 4, 5]) {
  it(`the Lua scripts and their model in memory answer alike, ${STEPS} steps drawn by seed ${seed}`, { timeout: 60_000 }, async () => {
    const pair = new Pair(`conformance-${seed}-${Date.now()}`);
    const done: Record<string, number> = {};
    const random = new Random(seed);
    const known = new Map<string, SessionRecord>();
    for (let i = 0; i < STEPS; i++) {
      const what = await step(pair, random, known);
      done[what] = (done[what] ?? 0) + 1;
    }
    for (const what of [
      'create',
      'touch',
      'commit',
      'begin',
      'renew',
      'unmark',
      'marked',
      'list',
      'of users',
      'walk',
      'patrol',
      'heartbeat',
    ]) {
      expect(done[what], what).toBeGreaterThan(10);
    }
  });
}

it.each([1, 2, 3])('announcements of policies, seed %i: the Lua script and its model agree', async (seed) => {
  const random = new Random(seed);
  const prefix = `policies-${crypto.randomUUID()}`;
  const place = { policies: NO_POLICIES };
  const lua = new RedisPolicies(redis, prefix);
  const memory = new MemoryPolicies(
    () => place,
    async (effect) => effect(),
  );
  const lastReceived: PoliciesInForce[] = [];
  for (let step = 0; step < 300; step++) {
    if (random.chance(0.02)) {
      await redis.del(`{${prefix}:0}:policies`);
      place.policies = NO_POLICIES;
    }
    const announced = random.chance(0.7) ? { version: random.between(0, 3 + step / 50), text: random.pick(['a', 'b', 'c', '{}']) } : null;
    const replaces = random.chance(0.5);
    const last = lastReceived.length > 0 && random.chance(0.5) ? random.pick(lastReceived) : null;
    const expected = await lua.agree(announced, replaces, last, []);
    expect(await memory.agree(announced, replaces, last)).toEqual(expected);
    if (expected.policies) lastReceived.push(expected.policies);
  }
  expect(new Set(lastReceived.map(({ version, edition }) => `${version}.${edition}`)).size).toBeGreaterThan(5);
});

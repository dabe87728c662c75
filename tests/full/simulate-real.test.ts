import { setTimeout as wait } from 'node:timers/promises';
import { type Policy, PolicySet, Random } from '@sandman/core';
import { type PodCall, SessionSimulator, type SimulationObserver, TraceBuilder, type TraceEvent } from '@sandman/replay';
import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LoggedCall, TestStack } from '../stack.ts';

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));
const SESSIONS = 30;
/** How long the sessions are played, in ms. */
const PLAYED_MS = 8_000;
/** No event is closer than this to a deadline, in ms; a busy machine's delay must not change their order. */
const MARGIN_MS = 700;
/** The longest delay of a real call, in ms. */
const LATE_MS = 1_000;

interface TimedCall {
  readonly call: PodCall;
  /** In ms since the beginning. */
  readonly at: number;
}

interface Played {
  readonly name: string;
  readonly policy: Policy;
  readonly events: readonly TraceEvent[];
  readonly expected: readonly TimedCall[];
}

/** An offset for simulated times, because a record treats 0 as no time. */
const EPOCH = 1_000_000;

/** Returns the calls that the simulator makes, in ms since the beginning. */
function simulatedCalls(events: readonly TraceEvent[], policy: Policy): TimedCall[] {
  const builder = new TraceBuilder();
  for (const event of events) builder.add({ ...event, at: event.at + EPOCH });
  const calls: TimedCall[] = [];
  const observer: SimulationObserver = { usageChanged: () => {}, called: (call, at) => calls.push({ call, at: at - EPOCH }) };
  new SessionSimulator(policy, 0, observer).run(builder.build().eventsOf(0), EPOCH + 2 * PLAYED_MS);
  return calls;
}

/** Builds a session with random activity, never near a deadline. */
function randomSession(name: string, random: Random): Played {
  const [sleepAfter, deleteAfter] = [random.between(1_000, 3_000), random.between(2_500, 4_500)];
  const policy = new PolicySet().resolve({ sleepAfter: random.chance(0.15) ? 'never' : sleepAfter, deleteAfter });
  const events: TraceEvent[] = [{ uuid: name, at: random.between(0, 1_000), event: 'user' }];
  for (let at = events[0]!.at; at < PLAYED_MS; at += random.between(300, 4_000)) {
    const near = simulatedCalls(events, policy).some((one) => Math.abs(one.at - at) < MARGIN_MS);
    if (near) continue;
    events.push({ uuid: name, at, event: random.chance(0.15) ? 'logout' : random.chance(0.15) ? 'background' : 'user' });
  }
  return { name, policy, events, expected: simulatedCalls(events, policy) };
}

let redis: FoundRedis;
let stack: TestStack;

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url).start({});
});

afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
});

/** Plays a session's events as a chat service would. @returns its uuids, one for each time it was created */
async function play({ name, policy, events }: Played, beginning: number): Promise<string[]> {
  const { sleepAfter, deleteAfter } = policy;
  const uuids: string[] = [];
  const create = async () => {
    const { uuid } = await stack.create(name, {
      sleepAfter: sleepAfter === null ? 'never' : `${sleepAfter}ms`,
      deleteAfter: `${deleteAfter}ms`,
    });
    uuids.push(uuid);
  };
  for (const { at, event } of events) {
    while (Date.now() < beginning + at) await wait(beginning + at - Date.now());
    const uuid = uuids.at(-1);
    if (!uuid) await create();
    else if (event === 'logout') await stack.call('POST', `/v1/users/${name}/logout`);
    else {
      const { status } = await stack.call('POST', `/v1/sessions/${uuid}/activity`, { kind: event });
      if (status === 410 && event === 'user') await create();
    }
  }
  return uuids;
}

const LIFECYCLE = ['create', 'sleep', 'wake', 'delete'];

it('the simulator calls what real processes call, one call after the other, at the same time', async () => {
  const random = new Random(SEED);
  const sessions = Array.from({ length: SESSIONS }, (_, i) => randomSession(`user-${i}`, random));
  const beginning = Date.now() + 500;
  const runs = await Promise.all(sessions.map((session) => play(session, beginning)));

  const callsOf = async () => {
    const { items } = await stack.sim<{ items: LoggedCall[] }>('GET', '/sim/journal');
    const calls = items.filter(({ call }) => LIFECYCLE.includes(call)).toSorted((a, b) => a.at - b.at);
    return runs.map((uuids) => calls.filter(({ uuid }) => uuids.includes(uuid)));
  };
  const expected = sessions.reduce((sum, session) => sum + session.expected.length, 0);
  await waitFor('as many calls', async () => (await callsOf()).flat().length >= expected, 15_000);

  const real = await callsOf();
  for (const [i, session] of sessions.entries()) {
    const context = `seed ${SEED}, ${JSON.stringify(session)}`;
    expect(
      real[i]!.map(({ call }) => call),
      context,
    ).toEqual(session.expected.map(({ call }) => call));
    for (const [k, { at }] of session.expected.entries()) {
      const late = real[i]![k]!.at - beginning - at;
      expect(late, context).toBeGreaterThanOrEqual(0);
      expect(late, context).toBeLessThan(LATE_MS);
    }
  }
  // Each kind of call must occur, or nothing was compared.
  const all = sessions.flatMap((session) => session.expected.map(({ call }) => call));
  for (const call of LIFECYCLE) expect(all).toContain(call);
  expect(all.filter((call) => call === 'create').length).toBeGreaterThan(SESSIONS);
}, 60_000);

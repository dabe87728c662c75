import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '@sandman/core';
import { waitFor } from '@sandman/sandbox';
import { promise4, promise6 } from './calls.ts';
import { promise1, promise7 } from './decisions.ts';
import { promise2, promise3 } from './delays.ts';
import { promise8, promise9 } from './deletions.ts';
import { promise5 } from './durability.ts';
import { currentState, gatherEvidence } from './evidence.ts';
import { Leavers } from './leavers.ts';
import type { PromiseResult } from './promise-result.ts';
import { ProxiedStack } from './proxied-stack.ts';
import { writeTimelines } from './session-timelines.ts';
import { Users } from './users.ts';

/** The number of users in each run, who create some 200 sessions. */
const SESSIONS = 100;
/** The number of users who leave with a grace, or keep their sessions. */
const LEAVERS = 12;
/** The time without faults at the start, in ms. What is due then has no excuse. */
const CALM_MS = 12_000;
/** How long the users stay after the last fault, in ms. */
const AFTERMATH_MS = 3_000;
/** The `Retry-After` of a 429 in these runs, in ms. */
export const RETRY_AFTER_MS = 2_000;
/** The longest promised recovery, the longest deadline after the users' last request, and a margin, in ms. */
const SETTLE_MS = 34_000 + 17_000 + 2_000;

export type PromiseNumber = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

export interface RunResult {
  readonly seed: number;
  readonly findings: Readonly<Record<PromiseNumber, PromiseResult>>;
}

export interface Plan {
  readonly name: string;
  readonly apis: number;
  readonly workers: number;
  /** Whether only the session-manager fails, so that users must not notice. */
  readonly onlySessionManagerFails: boolean;
  readonly injectFaults: (world: ProxiedStack, random: Random) => Promise<void>;
  /** The least number of checks per promise, because a check that saw nothing proves nothing. Well below what random runs gave. */
  readonly atLeast: Partial<Record<PromiseNumber, Readonly<Record<string, number>>>>;
}

/** Returns whether no call is in flight, in doubt or due any more. */
async function isSettled(world: ProxiedStack): Promise<boolean> {
  const now = Date.now();
  for (const { record, replicas } of (await currentState(world)).values()) {
    if (record.action || record.pod !== record.wanted) return false;
    if (record.wanted === 'gone') continue;
    if (record.graceUntil) return false;
    if (record.verifyAt || replicas !== (record.wanted === 'awake' ? 1 : 0)) return false;
    if (record.wanted === 'awake' && Number(record.holdUntil ?? 0) < now) return false;
    if (record.wanted === 'asleep' && Number(record.deleteAfter) < 60_000) return false;
  }
  return true;
}

/** Runs a plan: users arrive, a calm period, the faults, then quiet until all has settled. Returns the result for each promise. */
export async function run({ name, apis, workers, onlySessionManagerFails, injectFaults }: Plan): Promise<RunResult> {
  const seed = Number(process.env.SANDMAN_SEED) || Math.floor(Math.random() * 2 ** 31);
  const world = new ProxiedStack();
  try {
    await world.start(apis, workers);
    const startedAt = Date.now();
    const users = new Users(world, SESSIONS, seed);
    const leavers = new Leavers(world, seed);
    const gone = Promise.all([users.live(), leavers.live(LEAVERS)]);
    await pause(CALM_MS);
    await injectFaults(world, new Random(seed));
    await pause(AFTERMATH_MS);
    users.stop();
    leavers.stop();
    await gone;
    // If it does not settle, the result names what did not.
    await waitFor('all has settled', () => isSettled(world), SETTLE_MS).catch(() => {});
    const evidence = await gatherEvidence(world, users, leavers);
    const findings = {
      1: promise1(evidence),
      2: promise2(evidence),
      3: promise3(evidence),
      4: promise4(evidence),
      5: promise5(evidence),
      6: promise6(evidence, RETRY_AFTER_MS, onlySessionManagerFails),
      7: promise7(evidence),
      8: promise8(evidence),
      9: promise9(evidence),
    };
    writeTimelines(evidence, Object.values(findings));
    const figures = {
      name,
      seed,
      at: new Date().toISOString(),
      seconds: Math.round((Date.now() - startedAt) / 1_000),
      sessions: evidence.sessions.length,
      requests: users.log.length,
      faults: Object.fromEntries([...Map.groupBy(evidence.faults, ({ kind }) => kind)].map(([kind, { length }]) => [kind, length])),
      promises: Object.fromEntries(Object.entries(findings).map(([n, { checked, broken }]) => [n, { checked, broken: broken.length }])),
    };
    const file = process.env.SANDMAN_FIGURES;
    if (file) appendFileSync(file, `${JSON.stringify(figures)}\n`);
    return { seed, findings };
  } finally {
    await world.stop();
  }
}

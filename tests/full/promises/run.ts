import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { waitFor } from '@sandman/testing';
import { promise4, promise6 } from './calls.ts';
import { promise1, promise7 } from './decisions.ts';
import { promise2, promise3 } from './delays.ts';
import { gather, present } from './evidence.ts';
import type { Finding } from './finding.ts';
import { promise5 } from './memory.ts';
import { Random } from './random.ts';
import { tellStories } from './story.ts';
import { Users } from './users.ts';
import { World } from './world.ts';

/** Of each run: users, who make some 200 sessions. */
const SESSIONS = 100;
/** How long all goes well at first, in ms: what is due then has no excuse. */
const CALM_MS = 12_000;
/** How long the users stay after the last fault, in ms. */
const AFTERMATH_MS = 3_000;
/** What a 429 asks for in these runs, in ms. */
export const RETRY_AFTER_MS = 2_000;
/** The longest recovery that is promised, the longest that anything is due after the users' last deed, and room to look. */
const SETTLE_MS = 34_000 + 17_000 + 2_000;

export type PromiseNumber = 1 | 2 | 3 | 4 | 5 | 6 | 7;

export interface Verdict {
  readonly seed: number;
  readonly findings: Readonly<Record<PromiseNumber, Finding>>;
}

export interface Plan {
  readonly name: string;
  readonly apis: number;
  readonly workers: number;
  /** Whether the faults are the session-manager's alone, so that users must not notice. */
  readonly usersUntouched: boolean;
  readonly chaos: (world: World, random: Random) => Promise<void>;
  /** How much must have been checked, per promise: a check that saw nothing proves nothing. Well below what chance has brought. */
  readonly atLeast: Partial<Record<PromiseNumber, Readonly<Record<string, number>>>>;
}

/** Nothing is under way, in doubt or due any more. */
async function isSettled(world: World): Promise<boolean> {
  const now = Date.now();
  for (const { record, replicas } of (await present(world)).values()) {
    if (record.action || record.pod !== record.wanted) return false;
    if (record.wanted === 'gone') continue;
    if (record.verifyAt || replicas !== (record.wanted === 'awake' ? 1 : 0)) return false;
    if (record.wanted === 'awake' && Number(record.holdUntil ?? 0) < now) return false;
    if (record.wanted === 'asleep' && Number(record.deleteAfter) < 60_000) return false;
  }
  return true;
}

/** Users come, all goes well for a while, then nothing does; then it is quiet again, and all must be as promised. */
export async function run({ name, apis, workers, usersUntouched, chaos }: Plan): Promise<Verdict> {
  const seed = Number(process.env.SANDMAN_SEED) || Math.floor(Math.random() * 2 ** 31);
  const world = new World();
  try {
    await world.start(apis, workers);
    const startedAt = Date.now();
    const users = new Users(world, SESSIONS, seed);
    const gone = users.live();
    await pause(CALM_MS);
    await chaos(world, new Random(seed));
    await pause(AFTERMATH_MS);
    users.goodbye();
    await gone;
    // What does not settle is for the verdict to name.
    await waitFor('all has settled', () => isSettled(world), SETTLE_MS).catch(() => {});
    const evidence = await gather(world, users);
    const findings = {
      1: promise1(evidence),
      2: promise2(evidence),
      3: promise3(evidence),
      4: promise4(evidence),
      5: promise5(evidence),
      6: promise6(evidence, RETRY_AFTER_MS, usersUntouched),
      7: promise7(evidence),
    };
    tellStories(evidence, Object.values(findings));
    const figures = {
      name,
      seed,
      at: new Date().toISOString(),
      seconds: Math.round((Date.now() - startedAt) / 1_000),
      sessions: evidence.lives.length,
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

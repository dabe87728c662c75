import { Redis } from 'ioredis';
import type { Context } from './benchmark.ts';
import { fillFleet, Turns } from './fleet.ts';
import { type Running, runEntry, runSandman } from './processes.ts';
import { alarmsOf, type Way } from './ways.ts';

/** A way to take pings. */
export interface Kind {
  readonly name: string;
  /** The floor sets no alarms, Sandman sets its own two, and another way sets one. */
  readonly how: 'floor' | 'sandman' | Way;
  /** `ALARM_SLACK`, if it differs from the default. */
  readonly slack?: string;
}

/** A process that takes pings, and the sessions to ping. */
export interface Contestant extends Pick<Running, 'url' | 'stop'> {
  readonly next: () => string;
}

/** @param answer the body that the floor answers with */
export function startContestant({ how, slack }: Kind, redisUrl: string, prefix: string, answer: string): Promise<Running> {
  const settings = { redisUrl, prefix };
  if (how === 'floor') return runEntry('floor', { ...settings, env: { BENCH_ANSWER: answer } });
  if (how === 'sandman') return runSandman('api', { ...settings, ...(slack === undefined ? {} : { env: { ALARM_SLACK: slack } }) });
  return runEntry('api-of-a-way', { ...settings, env: { BENCH_WAY: how } });
}

/** Starts a contestant with a fleet of its own. On shared sessions, each would move the alarms that the next one finds. */
export async function withOwnFleet(kind: Kind, redisUrl: string, size: number, answer: string, context: Context): Promise<Contestant> {
  const prefix = `bench-${kind.name.replaceAll(/[^a-z0-9]+/gi, '-')}`;
  const redis = new Redis(redisUrl, { enableAutoPipelining: true });
  const alarms = alarmsOf(kind.how === 'floor' || kind.how === 'sandman' ? null : kind.how, redis, prefix);
  try {
    await fillFleet(redis, prefix, alarms, size, context);
  } finally {
    await alarms.close();
    redis.disconnect();
  }
  return { ...(await startContestant(kind, redisUrl, prefix, answer)), next: new Turns(size).next };
}

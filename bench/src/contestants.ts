import { Redis } from 'ioredis';
import type { Context } from './benchmark.ts';
import { fillFleet, Turns } from './fleet.ts';
import { type Running, runEntry, runSandman } from './processes.ts';
import { alarmsOf, type Way } from './ways.ts';

/** Who takes pings, and how. */
export interface Kind {
  readonly name: string;
  /** The floor sets no alarms, Sandman its own, a way its one. */
  readonly how: 'floor' | 'sandman' | Way;
  /** `ALARM_SLACK`, where it is not the default. */
  readonly slack?: string;
}

/** One process that takes pings, and whom it is pinged for. */
export interface Contestant extends Pick<Running, 'url' | 'stop'> {
  readonly next: () => string;
}

/** @param answer what the floor answers */
export function startContestant({ how, slack }: Kind, redisUrl: string, prefix: string, answer: string): Promise<Running> {
  const settings = { redisUrl, prefix };
  if (how === 'floor') return runEntry('floor', { ...settings, env: { BENCH_ANSWER: answer } });
  if (how === 'sandman') return runSandman('api', { ...settings, ...(slack === undefined ? {} : { env: { ALARM_SLACK: slack } }) });
  return runEntry('api-of-a-way', { ...settings, env: { BENCH_WAY: how } });
}

/** A contestant with a fleet of its own: on shared sessions the one would move the alarms that the other finds. */
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

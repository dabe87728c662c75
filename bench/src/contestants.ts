import { Redis } from 'ioredis';
import { type AlarmStrategy, alarmsWith } from './alarm-strategies.ts';
import type { Context } from './benchmark.ts';
import { fillFleet, SessionCycle } from './fleet.ts';
import { type BenchProcess, runEntry, runSandman } from './processes.ts';

/** What is compared: Sandman, the floor, or Sandman's API with another alarm strategy. */
export interface ContestantKind {
  readonly name: string;
  /** With each ping the floor moves no alarm, Sandman moves up to two, and a strategy moves one (`ZSET` only notes the time). */
  readonly how: 'floor' | 'sandman' | AlarmStrategy;
  /** `ALARM_SLACK`, if it differs from the default. */
  readonly slack?: string;
}

/** A process that takes pings, and the sessions to ping. */
export interface Contestant extends Pick<BenchProcess, 'url' | 'stop'> {
  /** Returns the uuid of the session to ping next. */
  readonly next: () => string;
}

/** Starts the process of a contestant. @param answer the body of the floor's answers; the other processes make their own */
export function startContestant({ how, slack }: ContestantKind, redisUrl: string, prefix: string, answer: string): Promise<BenchProcess> {
  const settings = { redisUrl, prefix };
  if (how === 'floor') return runEntry('floor', { ...settings, env: { BENCH_ANSWER: answer } });
  if (how === 'sandman') return runSandman('api', { ...settings, ...(slack === undefined ? {} : { env: { ALARM_SLACK: slack } }) });
  return runEntry('api-with-strategy', { ...settings, env: { BENCH_WAY: how } });
}

/** Fills a fleet for one contestant and starts it. If contestants shared a fleet, each would move alarms of the next one. */
export async function withOwnFleet(
  kind: ContestantKind,
  redisUrl: string,
  size: number,
  answer: string,
  context: Context,
): Promise<Contestant> {
  const prefix = `bench-${kind.name.replaceAll(/[^a-z0-9]+/gi, '-')}`;
  const redis = new Redis(redisUrl, { enableAutoPipelining: true });
  const alarms = alarmsWith(kind.how === 'floor' || kind.how === 'sandman' ? null : kind.how, redis, prefix);
  try {
    await fillFleet(redis, prefix, alarms, size, context);
  } finally {
    await alarms.close();
    redis.disconnect();
  }
  return { ...(await startContestant(kind, redisUrl, prefix, answer)), next: new SessionCycle(size).next };
}

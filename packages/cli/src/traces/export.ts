import { Ledger } from '@sandman/ledger';
import { formatLine, traceOfChanges } from '@sandman/replay';
import { answers, connectRedis, readEnv } from '@sandman/runtime';
import { agreeOnShards, RedisJournal, RedisSessionStore } from '@sandman/store';
import { orUsage, reachDatabase, reachRedis } from '../direct-connections.ts';
import type { ProcessIo } from '../output.ts';
import { ProgressLine } from '../progress-line.ts';
import { changesInLedger, changesInRedis, type SessionChanges } from './session-changes.ts';
import { writeTrace } from './trace-output.ts';

export interface ExportOptions {
  /** The `sleepAfter` that was in use, in ms. */
  readonly idle: number;
  readonly output?: string;
}

interface Source extends AsyncDisposable {
  readonly name: string;
  readonly sessions: AsyncIterable<SessionChanges>;
  /** @throws CommandFailure if it cannot be reached */
  reach(): Promise<void>;
}

function ledgerAt(url: string): Source {
  const ledger = new Ledger(url);
  return {
    name: 'the ledger',
    sessions: changesInLedger(ledger),
    reach: () => reachDatabase(ledger),
    [Symbol.asyncDispose]: () => ledger.close(),
  };
}

function redisOf(env: NodeJS.ProcessEnv): Source {
  const { REDIS_URL, KEY_PREFIX: prefix, SHARDS: shards } = readEnv(env, ['REDIS_URL', 'KEY_PREFIX', 'SHARDS']);
  const redis = connectRedis(REDIS_URL, 'worker', () => {});
  return {
    name: 'Redis',
    sessions: changesInRedis(new RedisJournal(redis, { prefix, shards }), new RedisSessionStore(redis, { prefix, shards, slack: 0 })),
    reach: () =>
      reachRedis({
        answers: () => answers(redis),
        agreeOnShards: () => agreeOnShards(redis, prefix, shards),
      }),
    [Symbol.asyncDispose]: async () => redis.disconnect(),
  };
}

/** Writes a trace of the activity that a running Sandman knows: from the ledger if there is one, else from Redis. */
export async function exportTrace({ idle, output }: ExportOptions, io: ProcessIo): Promise<void> {
  const { env, stderr } = io;
  await using source = orUsage(() => {
    const { DATABASE_URL } = readEnv(env, ['DATABASE_URL']);
    return DATABASE_URL === '' ? redisOf(env) : ledgerAt(DATABASE_URL);
  });
  await source.reach();
  const count = { sessions: 0, lines: 0, inferred: 0 };
  const lines = async function* () {
    using progressLine = new ProgressLine(stderr);
    for await (const { uuid, changes, lastActivity } of source.sessions) {
      const events = traceOfChanges(uuid, changes, lastActivity, idle);
      if (events.length === 0) continue;
      count.sessions++;
      count.lines += events.length;
      count.inferred += events.filter(({ inferred }) => inferred).length;
      yield events.map(formatLine).join('');
      progressLine.show(`read: ${count.sessions.toLocaleString('en')} sessions`);
    }
  };
  if (!(await writeTrace(lines(), output, io))) return;
  const [sessions, all, inferred] = [count.sessions, count.lines, count.inferred].map((number) => number.toLocaleString('en'));
  stderr.write(`${sessions} sessions of ${source.name}, ${all} lines, ${inferred} of them inferred\n`);
}

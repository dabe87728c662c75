import { setTimeout as wait } from 'node:timers/promises';
import { connectAll, type DirectConnections, failureMidway, reachRedis } from '../direct-connections.ts';
import { CommandFailure, EXIT } from '../exit.ts';
import { catchInterrupt } from '../interrupt.ts';
import type { Output, ProcessIo } from '../output.ts';
import { Progress } from '../progress.ts';
import { Plausibility } from './plausibility.ts';
import { Restoration } from './restoration.ts';
import { RestoreCounts } from './restore-counts.ts';
import { showRestored } from './restore-report.ts';
import { StatusReader } from './status-reader.ts';

export interface RestoreOptions {
  /** Calls to the session-manager per second. */
  readonly rate: number;
  readonly merge?: true;
  readonly dryRun?: true;
  readonly force?: true;
  /** When Redis was lost, ISO 8601. */
  readonly lostAt?: string;
}

/**
 * How long running processes may take to notice that Redis has lost data, in ms; workers check every 0.5 s. They then mark the
 * shards (`rewound`), which makes the deletes of all sleeping sessions start anew. That is meant for records whose last changes
 * are lost. Restored ones are right by the ledger, so the mark is cleared before the first of them is written.
 */
const NOTICED_MS = 1_000;

/**
 * Checks that Redis has no sessions.
 *
 * @returns what to run before the first session is written
 * @throws CommandFailure if there are sessions in Redis
 */
async function assertEmpty({ shardState }: DirectConnections): Promise<() => Promise<void>> {
  const size = await shardState.sessionCount();
  if (size === 0) {
    const noticed = wait(NOTICED_MS);
    return async () => {
      await noticed;
      await shardState.clearDataLossMark();
    };
  }
  const those = size === 1 ? 'a session' : `${size} sessions`;
  throw new CommandFailure(
    EXIT.failed,
    `Redis is not empty: it has ${those} (deleted ones count for a day). --merge leaves those alone and restores the others`,
  );
}

/** Rebuilds the sessions in Redis from the ledger, and reports. */
export async function restore(options: RestoreOptions, output: Output, io: ProcessIo): Promise<void> {
  const from = performance.now();
  await using on = await connectAll(io.env);
  await reachRedis(on);
  const { dryRun = false } = options;
  const prepare = options.merge || dryRun ? async () => {} : await assertEmpty(on);
  using interrupt = catchInterrupt();
  const counts = new RestoreCounts();
  const living = await on.ledger.living();
  const progress = new Progress(io.stderr, dryRun ? 'looking' : 'restoring', living);
  interrupt.signal.addEventListener('abort', () => progress.say('waiting for what is under way; Ctrl-C again leaves at once'));
  progress.update();
  const restoration = new Restoration({
    ...on,
    reader: new StatusReader(on.pods, options.rate, interrupt.signal),
    plausibility: new Plausibility(options.force ?? false),
    counts,
    counted() {
      progress.done = counts.seen;
      progress.update();
    },
    outage: (now) => (options.lostAt === undefined ? 0 : Math.max(0, now - Date.parse(options.lostAt))),
    dryRun,
    prepare,
  });
  let stopped: unknown = null;
  await restoration.run(interrupt.signal).catch((error) => {
    stopped = error;
  });
  progress.clear();
  if (living + counts.skipped.deleted === 0) output.note('the ledger has no sessions: is DATABASE_URL right?');
  showRestored(counts, { dryRun, seconds: (performance.now() - from) / 1_000 }, output);
  if (interrupt.signal.aborted) throw new CommandFailure(EXIT.interrupted, 'interrupted: use --merge to continue where it ended');
  if (stopped) throw failureMidway(stopped);
  if (counts.failed.length > 0) throw new CommandFailure(EXIT.failed, `${counts.failed.length} sessions failed: --merge tries those again`);
}

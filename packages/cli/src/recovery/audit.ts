import { confirm } from '../confirm.ts';
import { connectAll, type DirectConnections, failureMidway, reachRedis } from '../direct-connections.ts';
import { CommandFailure, EXIT } from '../exit.ts';
import { forEachConcurrently } from '../for-each-concurrently.ts';
import { catchInterrupt } from '../interrupt.ts';
import type { Output, ProcessIo } from '../output.ts';
import { Progress } from '../progress.ts';
import { Table } from '../table.ts';
import { FINDING_COLUMNS, REPAIR_COLUMNS, type RepairedFinding } from './audit-tables.ts';
import type { AuditFinding } from './finding.ts';
import { Inspection } from './inspection.ts';
import { Plausibility } from './plausibility.ts';
import { AuditRepair } from './repair.ts';
import { StatusReader } from './status-reader.ts';

export interface AuditOptions {
  /** Calls to the session-manager per second. */
  readonly rate: number;
  /** Sessions that were deleted within this time, in ms, are checked too. */
  readonly deletedWithin: number;
  readonly repair?: true;
  readonly yes?: true;
}

/** The number of repairs that run at the same time. */
const REPAIRED_AT_ONCE = 16;

/**
 * Reports sessions whose pod is not as the record or the ledger says, and repairs them if `repair` is set.
 *
 * @throws CommandFailure if findings are left, if it is interrupted, or if Redis or the session-manager cannot be used
 */
export async function audit(options: AuditOptions, output: Output, io: ProcessIo): Promise<void> {
  await using on = await connectAll(io.env);
  const redisIsThere = await reachRedis(on).then(
    () => true,
    (error) => {
      if (options.repair || (error instanceof CommandFailure && error.exitCode === EXIT.usage)) throw error;
      output.note('Redis cannot be reached: findings are by the ledger alone, which may lag behind');
      return false;
    },
  );
  const living = await on.ledger.living();
  if (options.repair && living > 0 && (await on.shardState.sessionCount()) === 0) {
    throw new CommandFailure(EXIT.failed, `Redis is empty, and the ledger has ${living} sessions: sandman restore first`);
  }
  using interrupt = catchInterrupt();
  const inspection = await inspect(on, options, { living, redisIsThere, signal: interrupt.signal, io });
  const { findings, unread, asked } = inspection;
  if (!output.json && findings.length > 0) new Table(output, FINDING_COLUMNS).write(findings);
  const repaired = options.repair ? await repairAll(findings, on, { ...options, signal: interrupt.signal, io }) : [];
  if (output.json) output.document({ asked, unread, findings: options.repair ? repaired : findings });
  else if (repaired.length > 0) new Table(output, REPAIR_COLUMNS).write(repaired);

  if (interrupt.signal.aborted) throw new CommandFailure(EXIT.interrupted, `interrupted: ${asked} sessions were looked at`);
  const left = options.repair ? repaired.filter(({ repair }) => !repair.done).length : findings.length;
  const silence = unread.length > 0 ? `, ${unread.length} of them without an answer` : '';
  const sum = `${asked} sessions looked at${silence}: ${findings.length} found wrong${repaired.length > 0 ? `, ${repaired.length - left} repaired` : ''}`;
  if (left > 0) throw new CommandFailure(EXIT.failed, sum);
  output.note(sum);
}

interface Within {
  readonly signal: AbortSignal;
  readonly io: ProcessIo;
}

async function inspect(
  on: DirectConnections,
  { rate, deletedWithin }: AuditOptions,
  { living, redisIsThere, signal, io }: Within & { readonly living: number; readonly redisIsThere: boolean },
): Promise<Inspection> {
  const progress = new Progress(io.stderr, 'looking', living);
  const inspection: Inspection = new Inspection({
    ledger: on.ledger,
    recordOf: async (uuid) => (redisIsThere ? (await on.store.read(uuid)).record : null),
    reader: new StatusReader(on.pods, rate, signal),
    plausibility: new Plausibility(false),
    since: Date.now() - deletedWithin,
    clock: Date.now,
    counted() {
      progress.done = Math.min(inspection.asked, living);
      progress.update();
    },
  });
  try {
    await inspection.run(signal);
    return inspection;
  } catch (error) {
    throw failureMidway(error);
  } finally {
    progress.clear();
  }
}

async function repairAll(
  findings: readonly AuditFinding[],
  on: DirectConnections,
  { yes, signal, io }: AuditOptions & Within,
): Promise<RepairedFinding[]> {
  if (findings.length === 0 || signal.aborted) return [];
  const leaked = findings.filter(({ fault, keepUntil }) => fault === 'leaked' && !keepUntil).length;
  const loss = leaked > 0 ? `, ${leaked} of them by deleting a leaked pod and all data in it, for good` : '';
  if (!yes) await confirm(`Repair ${findings.length}${loss}?`, io);
  const repair = new AuditRepair(on);
  const repaired: RepairedFinding[] = [];
  await forEachConcurrently(findings.values(), REPAIRED_AT_ONCE, signal, async (finding) => {
    repaired.push({ ...finding, repair: await repair.repairFinding(finding) });
  });
  return repaired.sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
}

import { confirm } from '../confirm.ts';
import { CommandFailure, EXIT } from '../exit.ts';
import { catchInterrupt } from '../interrupt.ts';
import type { Output, Surroundings } from '../output.ts';
import { Progress } from '../progress.ts';
import { Table } from '../table.ts';
import { FINDINGS, type Mended, REPAIRS } from './audit-tables.ts';
import { broken, type Connections, connectAll, reachRedis } from './connections.ts';
import type { Finding } from './finding.ts';
import { Inspection } from './inspection.ts';
import { inLanes } from './lanes.ts';
import { Plausibility } from './plausibility.ts';
import { Repair } from './repair.ts';
import { StatusReader } from './status-reader.ts';

export interface AuditOptions {
  /** Calls to the session-manager per second. */
  readonly rate: number;
  /** ms. */
  readonly deletedWithin: number;
  readonly repair?: true;
  readonly yes?: true;
}

/** Repairs under way at once. */
const REPAIRED_AT_ONCE = 16;

/** Says where the session-manager's pods are not what they should be, and mends that where it is told to. */
export async function audit(options: AuditOptions, output: Output, surroundings: Surroundings): Promise<void> {
  await using on = await connectAll(surroundings.env);
  const redisIsThere = await reachRedis(on).then(
    () => true,
    (error) => {
      if (options.repair || (error instanceof CommandFailure && error.exitCode === EXIT.usage)) throw error;
      output.note('Redis cannot be reached: findings are by the ledger alone, which may lag behind');
      return false;
    },
  );
  const living = await on.ledger.living();
  if (options.repair && living > 0 && (await on.slate.size()) === 0) {
    throw new CommandFailure(EXIT.failed, `Redis is empty, and the ledger has ${living} sessions: sandman restore first`);
  }
  using interrupt = catchInterrupt();
  const inspection = await inspect(on, options, { living, redisIsThere, signal: interrupt.signal, surroundings });
  const { findings, unread, asked } = inspection;
  if (!output.json && findings.length > 0) new Table(output, FINDINGS).write(findings);
  const mended = options.repair ? await mendAll(findings, on, { ...options, signal: interrupt.signal, surroundings }) : [];
  if (output.json) output.document({ asked, unread, findings: options.repair ? mended : findings });
  else if (mended.length > 0) new Table(output, REPAIRS).write(mended);

  if (interrupt.signal.aborted) throw new CommandFailure(EXIT.interrupted, `interrupted: ${asked} sessions were looked at`);
  const left = options.repair ? mended.filter(({ repair }) => !repair.done).length : findings.length;
  const silence = unread.length > 0 ? `, ${unread.length} of them without an answer` : '';
  const sum = `${asked} sessions looked at${silence}: ${findings.length} found wrong${mended.length > 0 ? `, ${mended.length - left} mended` : ''}`;
  if (left > 0) throw new CommandFailure(EXIT.failed, sum);
  output.note(sum);
}

interface Within {
  readonly signal: AbortSignal;
  readonly surroundings: Surroundings;
}

async function inspect(
  on: Connections,
  { rate, deletedWithin }: AuditOptions,
  { living, redisIsThere, signal, surroundings }: Within & { readonly living: number; readonly redisIsThere: boolean },
): Promise<Inspection> {
  const progress = new Progress(surroundings.stderr, 'looking', living);
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
    throw broken(error);
  } finally {
    progress.clear();
  }
}

async function mendAll(
  findings: readonly Finding[],
  on: Connections,
  { yes, signal, surroundings }: AuditOptions & Within,
): Promise<Mended[]> {
  if (findings.length === 0 || signal.aborted) return [];
  const leaked = findings.filter(({ fault }) => fault === 'leaked').length;
  const loss = leaked > 0 ? `, ${leaked} of them by deleting a leaked pod and all data in it, for good` : '';
  if (!yes) await confirm(`Mend ${findings.length}${loss}?`, surroundings);
  const repair = new Repair(on);
  const mended: Mended[] = [];
  await inLanes(findings.values(), REPAIRED_AT_ONCE, signal, async (finding) => {
    mended.push({ ...finding, repair: await repair.mend(finding) });
  });
  return mended.sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
}

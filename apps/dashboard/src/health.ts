import { type AlarmName, GAP_MS } from '@sandman/core';
import { LOST_MS, type Repair, type SeenWorker } from '@sandman/store';
import type { Trouble } from './wire.ts';

/** As the alert that watches the backlog has it. */
const LONG_BACKLOG = 100;
/** A user waits for a wake; nobody waits for a sleep or a delete. In ms. */
const LATE_MS = { wake: 5_000, sleep: 30_000, delete: 30_000 } as const;
/** A visit of the sweep takes up to ten seconds, and each shard has one every five; in ms. */
const SWEEP_LATE_MS = 60_000;
/** A failure or two are retried before anybody notices, in ms. */
const FAILING_MS = 10_000;
/** A difference between a worker's clock and Redis' that is worth a warning, in ms. */
const SKEW_MS = 1_000;
/** How long a worker that went without a word, and a lost alarm, are worth a warning, in ms. */
const LOST_WORKER_MS = 600_000;
const REPAIRED_MS = 3_600_000;

/** Of what had to be mended, that which nothing but somebody's hand or lost data explains. */
const UNEXPLAINED = new Set(['missing', 'late']);

export interface Signs {
  /** How many live ones there are. */
  readonly sessions: number;
  readonly workers: readonly SeenWorker[];
  readonly backlog: Readonly<Record<AlarmName, number>>;
  /** How long the oldest alarm that is due has waited to be taken up, in ms. */
  readonly late: Readonly<Record<AlarmName, number>>;
  /** Sessions whose calls fail; of the first of them, for how long, why, and whether a user waits for it. */
  readonly failing: { readonly count: number; readonly longest: number; readonly lastError: string; readonly userWaits: boolean };
  readonly beatAgo: number | null;
  /** The last ones, and how long ago each was, in ms. */
  readonly repairs: readonly (Repair & { readonly ago: number })[];
}

function forHowLong(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;
}

function ofWorkers({ workers, sessions }: Signs): Trouble[] {
  const alive = workers.filter(({ seenAgo }) => seenAgo <= LOST_MS);
  if (alive.length === 0) {
    const what = 'No worker is alive: nothing is put to sleep, woken or deleted';
    if (workers.length > 0 || sessions > 0) return [{ level: 'bad', what, alert: 'SandmanNoWorker' }];
    return [{ level: 'warn', what: 'No worker has reported yet', alert: 'SandmanNoWorker' }];
  }
  const troubles: Trouble[] = [];
  const having = (what: string) => alive.filter(({ trouble }) => trouble === what).sort((a, b) => b.troubleFor - a.troubleFor);
  const barred = having('failing');
  if (barred[0]) {
    const { troubleFor, seenAgo } = barred[0];
    const who = barred.length === alive.length ? 'Calls wait' : `Calls of ${barred.length} of ${alive.length} workers wait`;
    const what = `${who} for the session-manager since ${forHowLong(troubleFor + seenAgo)}: it fails`;
    troubles.push({ level: 'bad', what, alert: 'SandmanCircuitOpen' });
  }
  const [unknown] = having('not-found');
  if (unknown) {
    const since = forHowLong(unknown.troubleFor + unknown.seenAgo);
    const what = `The session-manager answers 404 for every session since ${since}. Look at its address`;
    troubles.push({ level: 'bad', what, alert: 'SandmanCircuitOpen' });
  }
  const [yielding] = having('dry-run');
  if (yielding) {
    const what = `Worker ${yielding.host}/${yielding.pid} has DRY_RUN, other workers have not: it does nothing while they run`;
    troubles.push({ level: 'bad', what, alert: 'SandmanDryRunConflict' });
  }
  const [skewed] = alive
    .filter(({ clockAhead }) => Math.abs(clockAhead) > SKEW_MS)
    .sort((a, b) => Math.abs(b.clockAhead) - Math.abs(a.clockAhead));
  if (skewed) {
    const { host, pid, clockAhead } = skewed;
    const what = `The clock of worker ${host}/${pid} is ${(Math.abs(clockAhead) / 1_000).toFixed(1)} s ${clockAhead > 0 ? 'ahead of' : 'behind'} Redis'`;
    troubles.push({ level: 'warn', what, alert: 'SandmanClockSkew' });
  }
  const visited = Math.min(...alive.map(({ sweptAgo, upFor, seenAgo }) => (sweptAgo ?? upFor) + seenAgo));
  if (visited > SWEEP_LATE_MS) {
    troubles.push({ level: 'warn', what: `The sweep has not gone round for ${forHowLong(visited)}`, alert: 'SandmanRepairs' });
  }
  const lost = workers.filter(({ seenAgo }) => seenAgo > LOST_MS && seenAgo < LOST_WORKER_MS);
  if (lost[0]) {
    const { host, pid, seenAgo } = lost[0];
    const others = lost.length > 1 ? ` and ${lost.length - 1} more` : '';
    troubles.push({
      level: 'warn',
      what: `Worker ${host}/${pid}${others} went without a word ${forHowLong(seenAgo)} ago`,
      alert: 'SandmanNoWorker',
    });
  }
  return troubles;
}

function ofWays(beatAgo: number | null): Trouble[] {
  if (beatAgo === null) return [{ level: 'warn', what: 'No API has taken pings yet', alert: 'SandmanSilent' }];
  if (beatAgo <= GAP_MS) return [];
  const what = `No API takes pings since ${forHowLong(beatAgo)}: until one does, nobody is put to sleep for being silent`;
  return [{ level: 'bad', what, alert: 'SandmanSilent' }];
}

function ofWork({ backlog, late, failing, repairs }: Signs): Trouble[] {
  const troubles: Trouble[] = [];
  if (late.wake > LATE_MS.wake) {
    const what = `Users wait for their pods: a wake that is due since ${forHowLong(late.wake)} was not taken up`;
    troubles.push({ level: 'bad', what, alert: 'SandmanNoWorker' });
  }
  const lateName = (['sleep', 'delete'] as const).find((name) => late[name] > LATE_MS[name]);
  if (lateName) {
    const what = `A ${lateName} that is due since ${forHowLong(late[lateName])} was not taken up`;
    troubles.push({ level: 'warn', what, alert: 'SandmanAlarmsLate' });
  }
  if (failing.count > 0 && failing.longest > FAILING_MS) {
    const who = failing.count === 1 ? 'The calls of one session' : `The calls of ${failing.count} sessions`;
    const what = `${who} fail, for ${forHowLong(failing.longest)} by now (${failing.lastError})`;
    troubles.push({ level: failing.userWaits ? 'bad' : 'warn', what, alert: 'SandmanCircuitOpen' });
  }
  const due = backlog.sleep + backlog.delete + backlog.wake;
  if (due > LONG_BACKLOG) troubles.push({ level: 'warn', what: `${due} alarms are due and not done`, alert: 'SandmanBacklogGrowing' });
  const lost = repairs.filter(({ kind, ago }) => UNEXPLAINED.has(kind) && ago < REPAIRED_MS).length;
  if (lost > 0) {
    const what = `${lost === 1 ? 'One session' : `${lost} sessions`} had lost an alarm within the last hour, and got it back`;
    troubles.push({ level: 'warn', what, alert: 'SandmanRepairs' });
  }
  return troubles;
}

/** What an operator should know of, the worst first; nothing when all is well. */
export function troublesOf(signs: Signs): Trouble[] {
  const troubles = [...ofWorkers(signs), ...ofWays(signs.beatAgo), ...ofWork(signs)];
  return troubles.sort((a, b) => Number(b.level === 'bad') - Number(a.level === 'bad'));
}

import { type AlarmName, GAP_MS } from '@sandman/core';
import { LOST_MS, type RepairEntry, type SeenWorker } from '@sandman/store';
import type { HealthIssue } from './wire.ts';

/** Due alarms in all queues above which the backlog is a warning. The alert SandmanBacklogGrowing uses the same number for each queue. */
const LONG_BACKLOG = 100;
/** How late an alarm may be before it is reported, in ms. Users wait for a wake, but not for a sleep or a delete. */
const LATE_ALARM_MS = { wake: 5_000, sleep: 30_000, delete: 30_000 } as const;
/** How old the last visit of the sweep may be, in ms. A visit takes up to 10 s, and each shard gets one every 5 s. */
const SWEEP_LATE_MS = 60_000;
/** How long the calls of a session may fail before it is reported, in ms: one or two failures are retried without harm. */
const FAILING_MS = 10_000;
/** The difference between a worker's clock and Redis' clock that is worth a warning, in ms. */
const SKEW_MS = 1_000;
/** How long a worker that stopped reporting, and a lost alarm, stay a warning, in ms. */
const LOST_WORKER_MS = 600_000;
const REPAIRED_MS = 3_600_000;

/** The kinds of repair that only lost data or a change of Redis by hand explains. */
const UNEXPLAINED_REPAIRS = new Set(['missing', 'late']);

export interface HealthFigures {
  /** The number of live sessions. */
  readonly sessions: number;
  readonly workers: readonly SeenWorker[];
  readonly backlog: Readonly<Record<AlarmName, number>>;
  /** How long the oldest due alarm has waited for a worker, in ms. */
  readonly late: Readonly<Record<AlarmName, number>>;
  /** Sessions whose calls fail: their number, how long (ms) and why the longest one fails, and whether users wait for the first ones. */
  readonly failing: { readonly count: number; readonly longest: number; readonly lastError: string; readonly userWaits: boolean };
  readonly beatAgo: number | null;
  /** The last repairs, and how long ago each was, in ms. */
  readonly repairs: readonly (RepairEntry & { readonly ago: number })[];
}

function approximateSpan(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;
}

function workerIssues({ workers, sessions }: HealthFigures): HealthIssue[] {
  const alive = workers.filter(({ seenAgo }) => seenAgo <= LOST_MS);
  if (alive.length === 0) {
    const what = 'No worker is alive: nothing is put to sleep, woken or deleted';
    if (workers.length > 0 || sessions > 0) return [{ level: 'bad', what, alert: 'SandmanNoWorker' }];
    return [{ level: 'warn', what: 'No worker has reported yet', alert: 'SandmanNoWorker' }];
  }
  const troubles: HealthIssue[] = [];
  const having = (what: string) => alive.filter(({ trouble }) => trouble === what).sort((a, b) => b.troubleFor - a.troubleFor);
  const barred = having('failing');
  if (barred[0]) {
    const { troubleFor, seenAgo } = barred[0];
    const who = barred.length === alive.length ? 'Calls wait' : `Calls of ${barred.length} of ${alive.length} workers wait`;
    const what = `${who} for the session-manager since ${approximateSpan(troubleFor + seenAgo)}: it fails`;
    troubles.push({ level: 'bad', what, alert: 'SandmanCircuitOpen' });
  }
  const [unknown] = having('not-found');
  if (unknown) {
    const since = approximateSpan(unknown.troubleFor + unknown.seenAgo);
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
    troubles.push({ level: 'warn', what: `The sweep has not gone round for ${approximateSpan(visited)}`, alert: 'SandmanRepairs' });
  }
  const lost = workers.filter(({ seenAgo }) => seenAgo > LOST_MS && seenAgo < LOST_WORKER_MS);
  if (lost[0]) {
    const { host, pid, seenAgo } = lost[0];
    const others = lost.length > 1 ? ` and ${lost.length - 1} more` : '';
    troubles.push({
      level: 'warn',
      what: `Worker ${host}/${pid}${others} went without a word ${approximateSpan(seenAgo)} ago`,
      alert: 'SandmanNoWorker',
    });
  }
  return troubles;
}

function intakeIssues(beatAgo: number | null): HealthIssue[] {
  if (beatAgo === null) return [{ level: 'warn', what: 'No API has taken pings yet', alert: 'SandmanSilent' }];
  if (beatAgo <= GAP_MS) return [];
  const what = `No API takes pings since ${approximateSpan(beatAgo)}: until one does, no session is put to sleep for being idle`;
  return [{ level: 'bad', what, alert: 'SandmanSilent' }];
}

function alarmIssues({ backlog, late, failing, repairs }: HealthFigures): HealthIssue[] {
  const troubles: HealthIssue[] = [];
  if (late.wake > LATE_ALARM_MS.wake) {
    const what = `Users wait for their pods: a wake that is due since ${approximateSpan(late.wake)} was not taken up`;
    troubles.push({ level: 'bad', what, alert: 'SandmanNoWorker' });
  }
  const lateName = (['sleep', 'delete'] as const).find((name) => late[name] > LATE_ALARM_MS[name]);
  if (lateName) {
    const what = `A ${lateName} that is due since ${approximateSpan(late[lateName])} was not taken up`;
    troubles.push({ level: 'warn', what, alert: 'SandmanAlarmsLate' });
  }
  if (failing.count > 0 && failing.longest > FAILING_MS) {
    const who = failing.count === 1 ? 'The calls of one session' : `The calls of ${failing.count} sessions`;
    const what = `${who} fail, for ${approximateSpan(failing.longest)} by now (${failing.lastError})`;
    troubles.push({ level: failing.userWaits ? 'bad' : 'warn', what, alert: 'SandmanCircuitOpen' });
  }
  const due = backlog.sleep + backlog.delete + backlog.wake;
  if (due > LONG_BACKLOG) troubles.push({ level: 'warn', what: `${due} alarms are due and not done`, alert: 'SandmanBacklogGrowing' });
  const lost = repairs.filter(({ kind, ago }) => UNEXPLAINED_REPAIRS.has(kind) && ago < REPAIRED_MS).length;
  if (lost > 0) {
    const what = `${lost === 1 ? 'One session' : `${lost} sessions`} had lost an alarm within the last hour, and got it back`;
    troubles.push({ level: 'warn', what, alert: 'SandmanRepairs' });
  }
  return troubles;
}

/** Returns the troubles an operator should know about, the worst first; empty if there are none. */
export function healthIssues(signs: HealthFigures): HealthIssue[] {
  const troubles = [...workerIssues(signs), ...intakeIssues(signs.beatAgo), ...alarmIssues(signs)];
  return troubles.sort((a, b) => Number(b.level === 'bad') - Number(a.level === 'bad'));
}

import { type AlarmName, GAP_MS } from '@sandman/core';
import { LOST_MS, type SeenWorker } from '@sandman/store';
import type { Trouble } from './wire.ts';

/** As the alert that watches the backlog has it. */
const LONG_BACKLOG = 100;

export interface Signs {
  readonly workers: readonly SeenWorker[];
  readonly backlog: Readonly<Record<AlarmName, number>>;
  readonly beatAgo: number | null;
  readonly repairs: number;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}

const TROUBLE: Record<string, string> = {
  failing: 'it fails',
  'not-found': 'it knows none of our sessions: is its address right?',
};

/** What an operator should know of, the worst first; nothing when all is well. */
export function troublesOf({ workers, backlog, beatAgo, repairs }: Signs): Trouble[] {
  const troubles: Trouble[] = [];
  const alive = workers.filter(({ seenAgo }) => seenAgo <= LOST_MS);
  const barred = alive.filter(({ trouble }) => trouble !== null);
  if (alive.length === 0) {
    const what = 'No worker is alive: nothing is put to sleep, woken or deleted';
    troubles.push({ level: 'bad', what, alert: 'SandmanNoWorker' });
  }
  if (barred.length > 0) {
    const [{ trouble, troubleFor, seenAgo }] = barred as [SeenWorker];
    const who = barred.length === alive.length ? 'Calls wait' : `Calls of ${barred.length} of ${alive.length} workers wait`;
    const what = `${who} for the session-manager since ${seconds(troubleFor + seenAgo)}: ${TROUBLE[trouble!] ?? trouble}`;
    troubles.push({ level: 'bad', what, alert: 'SandmanCircuitOpen' });
  }
  if (beatAgo === null || beatAgo > GAP_MS) {
    const since = beatAgo === null ? '' : ` since ${seconds(beatAgo)}`;
    const what = `No API takes pings${since}: until one does, nobody is put to sleep for being silent`;
    troubles.push({ level: 'bad', what, alert: 'SandmanSilent' });
  }
  const due = backlog.sleep + backlog.delete + backlog.wake;
  if (due > LONG_BACKLOG) troubles.push({ level: 'warn', what: `${due} alarms are due and not done`, alert: 'SandmanBacklogGrowing' });
  const lost = workers.filter(({ seenAgo }) => seenAgo > LOST_MS);
  if (alive.length > 0 && lost.length > 0) {
    const [{ host, pid, seenAgo }] = lost as [SeenWorker];
    const others = lost.length > 1 ? ` and ${lost.length - 1} more` : '';
    const what = `Worker ${host}/${pid}${others} went without a word, ${seconds(seenAgo)} ago`;
    troubles.push({ level: 'warn', what, alert: 'SandmanNoWorker' });
  }
  if (repairs > 0) {
    const what = `${repairs} ${repairs === 1 ? 'session' : 'sessions'} had lost their alarms within the last 24 hours, and got them back`;
    troubles.push({ level: 'warn', what, alert: 'SandmanRepairs' });
  }
  return troubles;
}

import { savingsView, sessionView } from '@sandman/contracts';
import { LIVE_STATUSES, type LiveReading, statusOf } from '@sandman/core';
import type { AlarmQueues } from '@sandman/queue';
import type { RedisJournal, RedisRoster, RedisSessionStore } from '@sandman/store';
import { troublesOf } from './health.ts';
import type { Overview, Upcoming } from './wire.ts';

export interface OverviewSources {
  readonly store: RedisSessionStore;
  readonly journal: RedisJournal;
  readonly roster: RedisRoster;
  readonly alarms: AlarmQueues;
  /** `POD_PRICE_PER_HOUR`; null where none is set. */
  readonly podPrice: number | null;
}

/** How many of what happens next are told. */
const NEXT = 8;
const DAY_MS = 86_400_000;

function upcoming({ record, now }: LiveReading): Upcoming | null {
  const { uuid, userId, sleepAt, deleteAt } = sessionView(record, now);
  const status = statusOf(record);
  if (status === 'active' && sleepAt) return { uuid, userId, what: 'sleep', at: sleepAt };
  if ((status === 'active' || status === 'sleeping') && deleteAt) return { uuid, userId, what: 'delete', at: deleteAt };
  return null;
}

/** By the alarms that ring next; what they are about, and when, the records say. */
async function whatIsNext({ store, alarms }: OverviewSources): Promise<Upcoming[]> {
  const refs = (await Promise.all([alarms.next('sleep', NEXT * 2), alarms.next('delete', NEXT * 2)])).flat();
  const readings = await Promise.all([...new Set(refs.map(({ uuid }) => uuid))].map((uuid) => store.read(uuid)));
  const next = readings.flatMap(({ record, now }) => (record && upcoming({ record, now })) ?? []);
  return next.sort((a, b) => Date.parse(a.at) - Date.parse(b.at)).slice(0, NEXT);
}

/** The fleet at a glance, but for who looks at it. */
export async function overviewOf(sources: OverviewSources): Promise<Omit<Overview, 'identity'>> {
  const { store, journal, roster, alarms, podPrice } = sources;
  const [sessions, backlog, books, workers, repairs, ways, next] = await Promise.all([
    store.count(),
    alarms.backlog(),
    journal.books(),
    roster.workers(),
    roster.repairs(),
    store.waysIn(),
    whatIsNext(sources),
  ]);
  const { now, beatAgo } = ways;
  const recent = repairs.filter(({ at }) => now - at < DAY_MS);
  const mended = recent.reduce((sum, { count }) => sum + count, 0);
  const visits = workers.flatMap(({ sweptAgo, seenAgo }) => (sweptAgo === null ? [] : sweptAgo + seenAgo));
  const pods = { awake: 0, asleep: 0 };
  for (const { awakePods, asleepPods } of books.values()) {
    pods.awake += awakePods;
    pods.asleep += asleepPods;
  }
  return {
    now,
    troubles: troublesOf({ workers, backlog, beatAgo, repairs: mended }),
    sessions: Object.fromEntries(LIVE_STATUSES.map((status) => [status, sessions[status]])) as Overview['sessions'],
    backlog,
    workers,
    sweep: { visitedAgo: visits.length === 0 ? null : Math.min(...visits), repairs: mended, last: recent[0] ?? null },
    beatAgo,
    pods,
    savings: savingsView(books, podPrice),
    next,
  };
}

/**
 * Asked for often and read at most once in `ms`, however many look.
 *
 * @returns what asks
 */
export function shared<T>(ms: number, read: () => Promise<T>): () => Promise<T> {
  let last: { readonly at: number; readonly value: Promise<T> } | null = null;
  return () => {
    if (last && performance.now() - last.at < ms) return last.value;
    const value = read();
    const mine = { at: performance.now(), value };
    last = mine;
    // An error is told to those who wait, and the next one asks anew.
    value.catch(() => {
      if (last === mine) last = null;
    });
    return value;
  };
}

import type { AlarmName, LiveStatus } from '@sandman/core';
import type { Metrics } from './metrics.ts';

/** What describes the fleet as a whole. It stands in Redis and reads the same from every process. */
export interface Fleet {
  readonly sessions: () => Promise<Record<LiveStatus, number>>;
  /** Alarms due and not done, by queue. */
  readonly backlog: () => Promise<Record<AlarmName, number>>;
  /** Pod time in ms, and regrets, by policy. */
  readonly books: () => Promise<ReadonlyMap<string, { readonly awake: number; readonly asleep: number; readonly regrets: number }>>;
}

/** Refreshes what describes the fleet, before a scrape. */
export async function collectFleet({ sessions, dueBacklog, podSeconds, regrets }: Metrics, fleet: Fleet): Promise<void> {
  const [byStatus, due, books] = await Promise.all([fleet.sessions(), fleet.backlog(), fleet.books()]);
  for (const [status, count] of Object.entries(byStatus)) sessions.set({ status }, count);
  for (const [queue, count] of Object.entries(due)) dueBacklog.set({ queue }, count);
  // Counted in Redis: here they are only shown.
  podSeconds.reset();
  regrets.reset();
  for (const state of ['awake', 'asleep'] as const) podSeconds.inc({ state }, 0);
  for (const [policy, book] of books) {
    for (const state of ['awake', 'asleep'] as const) podSeconds.inc({ state }, book[state] / 1_000);
    regrets.inc({ policy }, book.regrets);
  }
}

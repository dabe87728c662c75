import type { AlarmName, LiveStatus, Spell } from '@sandman/core';
import type { Metrics } from './metrics.ts';

/** What describes the fleet as a whole. It stands in Redis and reads the same from every process. */
export interface Fleet {
  readonly sessions: () => Promise<Record<LiveStatus, number>>;
  /** Alarms due and not done, by queue. */
  readonly backlog: () => Promise<Record<AlarmName, number>>;
  /** Pod time in ms, and regrets, by policy. */
  readonly books: () => Promise<ReadonlyMap<string, { readonly awake: number; readonly asleep: number; readonly regrets: number }>>;
  /** What shadow policies would have made of it, and what was made of it, in ms and counts. */
  readonly shadows: () => Promise<ReadonlyMap<string, { readonly would: Spell; readonly was: Spell }>>;
}

/** Refreshes what describes the fleet, before a scrape. */
export async function collectFleet(metrics: Metrics, fleet: Fleet): Promise<void> {
  const { sessions, dueBacklog, podSeconds, regrets, shadowPodSeconds, shadowRegrets } = metrics;
  const [byStatus, due, books, shadows] = await Promise.all([fleet.sessions(), fleet.backlog(), fleet.books(), fleet.shadows()]);
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
  shadowPodSeconds.reset();
  shadowRegrets.reset();
  for (const [policy, book] of shadows) {
    for (const side of ['would', 'was'] as const) {
      for (const state of ['awake', 'asleep', 'gone'] as const) shadowPodSeconds.inc({ policy, side, state }, book[side][state] / 1_000);
      shadowRegrets.inc({ policy, side }, book[side].regrets);
    }
  }
}

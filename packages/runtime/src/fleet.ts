import type { AlarmName, LiveStatus } from '@sandman/core';
import type { Metrics } from './metrics.ts';

/** What describes the fleet as a whole. It stands in Redis and reads the same from every process. */
export interface Fleet {
  readonly sessions: () => Promise<Record<LiveStatus, number>>;
  /** Alarms due and not done, by queue. */
  readonly backlog: () => Promise<Record<AlarmName, number>>;
}

/** Refreshes the fleet's gauges, before a scrape. */
export async function collectFleet({ sessions, dueBacklog }: Metrics, fleet: Fleet): Promise<void> {
  const [byStatus, due] = await Promise.all([fleet.sessions(), fleet.backlog()]);
  for (const [status, count] of Object.entries(byStatus)) sessions.set({ status }, count);
  for (const [queue, count] of Object.entries(due)) dueBacklog.set({ queue }, count);
}

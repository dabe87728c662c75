import type { AlarmName, LiveStatus, PeriodTotals } from '@sandman/core';
import type { Metrics } from './metrics.ts';
import { shared } from './shared.ts';

/** How old the fleet's figures may be, in ms: scrapes within this time share one reading. */
const FLEET_MS = 1_000;
const STATES = ['awake', 'asleep'] as const;
const SIDES = ['would', 'was'] as const;
const NOTHING = { awake: 0, asleep: 0, gone: 0, regrets: 0 };

/** Reads the figures of the whole fleet from Redis; every process reads the same. */
export interface Fleet {
  readonly sessions: () => Promise<Record<LiveStatus, number>>;
  /** Alarms that are due and not done, by queue. */
  readonly backlog: () => Promise<Record<AlarmName, number>>;
  /** Usage by policy: pod time in ms, and regrets. */
  readonly usage: () => Promise<ReadonlyMap<string, { readonly awake: number; readonly asleep: number; readonly regrets: number }>>;
  /** Totals by shadow policy: under it (`would`), and under the sessions' own policies (`was`); times in ms. */
  readonly shadows: () => Promise<ReadonlyMap<string, { readonly would: PeriodTotals; readonly was: PeriodTotals }>>;
  /** The names of the policies and of the shadow policies in force. Each has its series from the start. */
  readonly policies: () => { readonly names: readonly string[]; readonly shadows: readonly string[] };
}

/** Returns a function that refreshes the metrics of the fleet for a scrape. It reads Redis once a second at most. */
export function refreshFleet(metrics: Metrics, fleet: Fleet): () => Promise<void> {
  const { sessions, dueBacklog, podSeconds, regrets, shadowPodSeconds, shadowRegrets } = metrics;
  return shared(FLEET_MS, async () => {
    const [byStatus, due, usage, shadows] = await Promise.all([fleet.sessions(), fleet.backlog(), fleet.usage(), fleet.shadows()]);
    const inForce = fleet.policies();
    for (const [status, count] of Object.entries(byStatus)) sessions.set({ status }, count);
    for (const [queue, count] of Object.entries(due)) dueBacklog.set({ queue }, count);
    // These are counted in Redis, so each refresh replaces their values.
    for (const metric of [podSeconds, regrets, shadowPodSeconds, shadowRegrets]) metric.reset();
    for (const policy of new Set([...inForce.names, ...usage.keys()])) {
      const book = usage.get(policy) ?? NOTHING;
      for (const state of STATES) podSeconds.inc({ state }, book[state] / 1_000);
      regrets.inc({ policy }, book.regrets);
    }
    for (const policy of new Set([...inForce.shadows, ...shadows.keys()])) {
      const book = shadows.get(policy) ?? { would: NOTHING, was: NOTHING };
      for (const side of SIDES) {
        for (const state of [...STATES, 'gone'] as const) shadowPodSeconds.inc({ policy, side, state }, book[side][state] / 1_000);
        shadowRegrets.inc({ policy, side }, book[side].regrets);
      }
    }
  });
}

import type { ActivityKind, Duration } from './api-types.ts';

/** A policy's name, or the durations of a custom policy. */
export type AskedPolicy = string | { sleepAfter: Duration; deleteAfter: Duration; backgroundCap?: Duration | undefined };

/** When an activity happened, and what kind it is. */
export interface ActivityTime {
  /** Now by default. A time in the future counts as now; one in the past never moves anything backwards. */
  at?: Date | string | undefined;
  /** `user` by default. */
  kind?: ActivityKind | undefined;
}

/** The end of a hold: a duration from now, or a time. At most 24 h ahead. */
export type HoldEnd = { for: Duration } | { until: Date | string };

/** The end of a keep: a duration from now, or a time. At most 3650 d ahead. */
export type KeepEnd = HoldEnd;

export interface LogoutOptions {
  /**
   * Puts the pods to sleep now, and deletes them after this time (1 ms to 30 d), unless the user comes back before. By default
   * they are deleted now.
   */
  grace?: Duration | undefined;
}

export interface DeleteOptions extends LogoutOptions {
  /** Deletes a session although it is kept. With a session that is not kept it is refused (400). */
  force?: boolean | undefined;
}

/** What is known of a hold, a keep or a grace. */
export interface SpanExpectation {
  /** The end that was acknowledged last, and when, in ms; null: there is none, or its end is unknown. */
  known: { readonly until: number; readonly acked: number } | null;
  /** Requests in flight that set or end it. One that is never acknowledged is counted for good. */
  inFlight: number;
  requests: number;
}

/** What the answers to callers promised about a session, from its creation or adoption to its delete. */
export interface SessionExpectations {
  /** The user's acknowledged activity: the earliest time it can have had, and when it was acknowledged, in ms. */
  userActivity: { readonly at: number; readonly acked: number }[];
  background: { readonly at: number; readonly acked: number }[];
  readonly hold: SpanExpectation;
  readonly keep: SpanExpectation;
  /** The grace of a requested delete. The user's return ends it. */
  readonly grace: SpanExpectation;
  /** The user has come back since the last delete with a grace. */
  graceReturned: boolean;
  /** The last delete that was warned of: when it was due, and when the warning was sent, in ms. */
  warned: { readonly of: number; readonly at: number } | null;
  /** Activity was acknowledged while the pod slept, and no wake has taken effect since. */
  wakePending: boolean;
  /** A logout was requested, or the pod was deleted without Sandman (`endExpected`); when a logout was acknowledged (`deletedAt`). */
  endExpected: boolean;
  deletedAt: number | null;
  /** Sandman may not track it: its creation may not have been acknowledged, its pod was deleted, or Redis lost data. */
  mayBeUntracked: boolean;
  /** When a wake last took effect, and when the last wake whose result is in the record did; 0: none did. */
  wakeLandedAt: number;
  wokenAt: number;
  /** Another service scaled its pod, and no wake has taken effect since. */
  scaled: boolean;
  /** A policy, a hold or lost data has changed its deadlines, so that the record alone does not tell what to expect. */
  changed: boolean;
  lastRequestAt: number;
  lastAckAt: number;
}

/** Counts what was checked, so that a run in which nothing was checked does not pass for a proof. */
export interface Checked {
  acknowledged: number;
  decisions: number;
  calls: number;
  takeovers: number;
  samples: number;
  gaps: number;
  repairs: number;
  /** Callers who were told that the pod is awake. */
  told: number;
  /** Deletes at the end of a grace, and deletes of sessions that had been kept. */
  graces: number;
  keeps: number;
  deleteWarnings: number;
  /** Times that Redis lost writes and no process noticed. */
  unnoticed: number;
}

export function newExpectations(): SessionExpectations {
  return {
    userActivity: [],
    background: [],
    hold: { known: null, inFlight: 0, requests: 0 },
    keep: { known: null, inFlight: 0, requests: 0 },
    grace: { known: null, inFlight: 0, requests: 0 },
    graceReturned: false,
    warned: null,
    wakePending: false,
    endExpected: false,
    deletedAt: null,
    mayBeUntracked: false,
    wakeLandedAt: 0,
    wokenAt: 0,
    scaled: false,
    changed: false,
    lastRequestAt: 0,
    lastAckAt: 0,
  };
}

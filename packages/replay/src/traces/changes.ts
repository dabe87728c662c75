import type { Status } from '@sandman/core';
import type { TraceEvent } from '../line.ts';

/** A change of status as a running Sandman records it. Times in ms since 1970. */
export interface RecordedChange {
  readonly at: number;
  /** Empty if the session began with this change. */
  readonly from: Status | '';
  readonly to: Status;
  readonly cause: string;
  /** The user's last activity as of then; 0: unknown. */
  readonly lastActivity: number;
}

export interface ExportedEvent extends TraceEvent {
  /** Set if no record shows this activity: the user must have been active at least this often, or the pod would have slept. */
  readonly inferred?: true;
}

/** The step between inferred activities, as a share of the observed idle time. It is below 1, because sleeps come a little late. */
const STEP_SHARE = 0.9;

/** The causes that show that the user was present at the time of the change. */
const USER_CAUSES: ReadonlySet<string> = new Set(['created', 'adopted', 'activity']);

/**
 * Derives a trace of one session from its changes of status. They tell when an awake period began, when the user was last active
 * in it, and that the user was never away for as long as it took to fall asleep. The activity in between is `inferred`.
 *
 * @param changes of one session, the oldest first
 * @param lastActivity as it is now, in ms; 0: unknown
 * @param idle how long the user can have been away at most without a sleep, in ms. Background signals and holds also keep a pod awake
 */
export function traceOfChanges(uuid: string, changes: readonly RecordedChange[], lastActivity: number, idle: number): ExportedEvent[] {
  const events: ExportedEvent[] = [];
  let step = Math.max(1, Math.floor(idle * STEP_SHARE));
  /** The last known activity of the current awake period; null if there is none. */
  let known: number | null = null;
  const seen = (at: number) => {
    if (known !== null && at <= known) return;
    if (known !== null) for (let t = known + step; t < at; t += step) events.push({ uuid, at: t, event: 'user', inferred: true });
    events.push({ uuid, at, event: 'user' });
    known = at;
  };
  for (const change of changes) {
    const { at, from, to, cause } = change;
    const idled = (to === 'falling-asleep' && cause === 'idle') || (from === 'active' && cause === 'delete-due');
    if (idled && change.lastActivity > 0) step = Math.max(1, Math.floor(Math.min(idle, at - change.lastActivity) * STEP_SHARE));
    // This activity is known, whatever began the awake period.
    if (change.lastActivity < at && change.lastActivity > (events.at(-1)?.at ?? 0)) seen(change.lastActivity);
    const asleep = to === 'falling-asleep' || to === 'sleeping';
    if (asleep || to === 'deleting' || to === 'deleted') known = null;
    if ((to === 'active' || to === 'waking') && (USER_CAUSES.has(cause) || cause === 'manual') && from !== 'waking') {
      seen(change.lastActivity > 0 ? change.lastActivity : at);
    }
    if (to === 'deleting' && (cause === 'logout' || cause === 'manual')) events.push({ uuid, at, event: 'logout' });
  }
  if (lastActivity > (events.at(-1)?.at ?? 0)) seen(lastActivity);
  return events;
}

import type { Status } from '@sandman/core';
import type { TraceEvent } from '../line.ts';

/** A change of status as a running Sandman keeps it. Times in ms of the epoch. */
export interface SeenChange {
  readonly at: number;
  /** Empty where a life began. */
  readonly from: Status | '';
  readonly to: Status;
  readonly cause: string;
  /** The user's own, as it was then; 0 where nobody knows. */
  readonly lastActivity: number;
}

export interface ExportedEvent extends TraceEvent {
  /** Nobody wrote it down: somebody was there at least so often, or the pod would have slept. */
  readonly inferred?: true;
}

/** Of the idle time that was seen: a sleep comes a little late, and a step must stay within the policy's. */
const STEP_SHARE = 0.9;

/** Whoever is there, and asked for this, was there then. */
const BY_USERS: ReadonlySet<string> = new Set(['created', 'adopted', 'activity']);

/**
 * What a session's user did, as far as its changes tell: when an awake spell began, when the user was last active in it, and
 * that they were never away for as long as the sleep that ended it took. That much is written in between (`inferred`).
 *
 * @param changes of one session, the oldest first
 * @param lastActivity as it is now, in ms; 0 where nobody knows
 * @param idle how long the user may have been away at most without a sleep, in ms: background signals and holds keep a pod awake, too
 */
export function traceOfChanges(uuid: string, changes: readonly SeenChange[], lastActivity: number, idle: number): ExportedEvent[] {
  const events: ExportedEvent[] = [];
  let step = Math.max(1, Math.floor(idle * STEP_SHARE));
  /** The last known activity of the spell that runs; null while none does. */
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
    // Whatever began the spell, that much is known of it.
    if (change.lastActivity < at && change.lastActivity > (events.at(-1)?.at ?? 0)) seen(change.lastActivity);
    const asleep = to === 'falling-asleep' || to === 'sleeping';
    if (asleep || to === 'deleting' || to === 'deleted') known = null;
    if ((to === 'active' || to === 'waking') && (BY_USERS.has(cause) || cause === 'manual') && from !== 'waking') {
      seen(change.lastActivity > 0 ? change.lastActivity : at);
    }
    if (to === 'deleting' && (cause === 'logout' || cause === 'manual')) events.push({ uuid, at, event: 'logout' });
  }
  if (lastActivity > (events.at(-1)?.at ?? 0)) seen(lastActivity);
  return events;
}

import { exponentialBackoff } from './backoff.ts';
import { tombstone, USER_WAIT_MS, wakeUp } from './requests.ts';
import { type Action, HEALTHY, type Patch, type Pod, type PodChange, type SessionRecord, type Wanted } from './session.ts';

/** How a call to the session-manager ended. */
export type Outcome =
  /** The pod is now as the call asked. For `status`, `pod` says what was read. */
  | { readonly kind: 'done'; readonly pod?: 'awake' | 'asleep' }
  /** The session-manager answered 404: it does not know the session. A second 404 must confirm this. */
  | { readonly kind: 'gone' }
  /** The call failed and may succeed later. `sent` is false where nothing reached the session-manager. `retryAfter` in ms. */
  | { readonly kind: 'transient'; readonly sent: boolean; readonly error: string; readonly retryAfter?: number }
  /** The session-manager refused the call, and will refuse it until an operator fixes the cause. */
  | { readonly kind: 'permanent'; readonly error: string }
  /** The call may have taken effect, or may do so later: a time-out, or a connection that broke after sending. */
  | { readonly kind: 'unknown'; readonly error: string };

export const OUTCOME_KINDS = ['done', 'gone', 'transient', 'permanent', 'unknown'] as const satisfies readonly Outcome['kind'][];

/** How long an outcome may stay unknown, in ms: `SESSION_MANAGER_TIMEOUT + LATE_EFFECT_BOUND`. */
export interface EffectBounds {
  readonly doubt: number;
}

const FREE = { action: '', token: '', actionUntil: 0 } as const;

/** Returns the doubt that a call of unknown outcome leaves. If a doubt is open already, the later end counts. */
function doubt(record: SessionRecord, now: number, bounds: EffectBounds): Patch {
  return { pod: 'unknown', verifyAt: Math.max(record.verifyAt, now + bounds.doubt) };
}

/** What an owner whose lease ran out leaves: a doubt, because its call may take effect, now or later. A status read leaves none. */
export function takeOver(record: SessionRecord, now: number, bounds: EffectBounds): Patch {
  return record.action === 'status' ? FREE : { ...FREE, ...doubt(record, now, bounds) };
}

/**
 * Returns what changes in a record because Redis came back with older data. A session that is awake is woken once more and
 * verified later. A sleep that was under way is taken back. A sleeping session is verified, and woken if its pod is found
 * awake.
 */
export function verifyAfterDataLoss(record: SessionRecord, now: number, bounds: EffectBounds): Patch {
  const rewound = record.intake.rewoundAt;
  if (record.wanted === 'asleep' && record.pod === 'asleep') {
    return { rewound, verifyAt: Math.max(record.verifyAt, now + bounds.doubt) };
  }
  const restored = record.wanted === 'asleep' ? wakeUp(record, 'restored', now) : {};
  return { rewound, ...restored, ...doubt(record, now, bounds) };
}

/** How long a `Retry-After` is obeyed at most, in ms. While a user waits for a wake, the limit is {@link USER_WAIT_MS}. */
export const LONGEST_RETRY_AFTER_MS = 300_000;
const LONGEST_BACKOFF_MS = { transient: 15_000, unknown: 15_000, permanent: 300_000 } as const;

/**
 * Returns how long a session waits after failed calls, in ms.
 *
 * @param failures how many in a row, from 1
 * @param chance 0 to 1
 */
export function callBackoff(kind: keyof typeof LONGEST_BACKOFF_MS, failures: number, chance: number): number {
  return exponentialBackoff({ first: 250, longest: LONGEST_BACKOFF_MS[kind], jitter: 0.25 }, failures, chance);
}

const RESULT: Record<PodChange, Wanted> = { sleep: 'asleep', wake: 'awake', delete: 'gone' };

/** Returns what is written when a call begins. From then on its effect is unknown. */
export function beginCall(action: Action, token: string): Patch {
  return { action, token, ...(action === 'sleep' || action === 'wake' ? { pod: 'unknown' as const } : {}) };
}

/** A call that ended. */
export interface EndedCall {
  readonly action: Action;
  readonly outcome: Outcome;
  /** A time at or before the call was sent, in ms. The end is no such time: the answer may have waited unread. */
  readonly sentAt: number;
  /** What the pod was before the call. */
  readonly podBefore: Pod;
  /** 0 to 1, for the jitter. */
  readonly chance: number;
}

function settledPod(record: SessionRecord, pod: Pod, now: number): Patch {
  if (pod === 'gone') return tombstone(record, record.cause, now);
  return { pod, sleptAt: pod === 'asleep' ? (record.pod === 'asleep' ? record.sleptAt : now) : 0, ...HEALTHY, missingSince: 0 };
}

/** How far apart two 404s must be to be believed, in ms. A restarting ingress answers 404 by itself. */
export const CONFIRM_MS = 10_000;
/** How long a session must be tracked before a 404 is believed, in ms. The session-manager may not list a new pod yet. */
const YOUNG_MS = 30_000;

/** Returns from when on another 404 confirms that the session-manager does not know the session, in ms. */
function confirmableAt({ missingSince, createdAt }: SessionRecord, now: number): number {
  return Math.max((missingSince || now) + CONFIRM_MS, createdAt + YOUNG_MS);
}

/**
 * Returns a wake where the record says asleep, the pod was found awake, and Redis came back with older data after the sleep:
 * then the session had been woken, and Redis lost that write.
 */
function restored(record: SessionRecord, found: Pod | undefined, now: number): Patch {
  const forgotten = record.wanted === 'asleep' && record.pod === 'asleep' && record.rewound > record.sleptAt;
  return forgotten && found === 'awake' ? { ...wakeUp(record, 'restored', now), lastActivity: now } : {};
}

/**
 * Returns what the end of a call changes in the record as it is now; other processes may have written since the call began.
 * Clears the call in flight. The caller applies this only while the token is still its own.
 */
export function endCall(
  record: SessionRecord,
  { action, outcome, sentAt, podBefore, chance }: EndedCall,
  now: number,
  bounds: EffectBounds,
): Patch {
  if (outcome.kind === 'done') {
    if (action === 'status') {
      // Only a status read ends a doubt, and only if it was sent at or after `verifyAt`.
      const verifyAt = sentAt >= record.verifyAt ? 0 : record.verifyAt;
      return { ...FREE, ...settledPod(record, outcome.pod ?? 'unknown', now), ...restored(record, outcome.pod, now), verifyAt };
    }
    return { ...FREE, ...settledPod(record, RESULT[action], now), ...(action === 'wake' ? { wokenAt: now } : {}) };
  }
  const failures = record.failures + 1;
  const failing = (error: string): Patch => ({
    ...FREE,
    failures,
    failingSince: record.failingSince || now,
    lastError: `${action}: ${error}`,
  });
  if (outcome.kind === 'gone') {
    const confirmAt = confirmableAt(record, now);
    if (sentAt >= confirmAt) return tombstone(record, record.wanted === 'gone' ? record.cause : 'gone', now);
    const missing = { ...failing('HTTP 404, to be confirmed'), missingSince: record.missingSince || now };
    // Another delete confirms the 404 of a delete; a status read confirms any other. A wake is retried before that, because a
    // user waits for it.
    if (action === 'delete') return { ...missing, retryAt: record.wanted === 'gone' ? confirmAt : 0 };
    const verifyAt = Math.max(record.verifyAt, confirmAt);
    if (action === 'status') return { ...missing, verifyAt };
    const retryAt = action === 'wake' ? Math.min(confirmAt, now + callBackoff('transient', failures, chance)) : confirmAt;
    return { ...missing, verifyAt, pod: podBefore, retryAt: record.wanted === RESULT[action] ? retryAt : 0 };
  }

  const wait = callBackoff(outcome.kind, failures, chance);
  const failed = { ...failing(outcome.error), ...(outcome.kind === 'permanent' ? { missingSince: 0 } : {}) };
  const longest = record.wanted === 'awake' ? USER_WAIT_MS : LONGEST_RETRY_AFTER_MS;
  const retryAfter = outcome.kind === 'transient' && outcome.retryAfter ? { notBefore: now + Math.min(outcome.retryAfter, longest) } : {};
  if (action === 'status') return { ...failed, ...retryAfter, verifyAt: now + wait };
  // If something else is wanted by now, the backoff of this call must not delay it.
  const retry = { ...failed, ...retryAfter, retryAt: record.wanted === RESULT[action] ? now + wait : 0 };
  if (outcome.kind === 'unknown') return { ...retry, ...doubt(record, now, bounds) };
  const untouched = outcome.kind === 'permanent' || !outcome.sent;
  return untouched ? { ...retry, pod: podBefore } : retry;
}

import { burial, USER_WAIT_MS, wakeUp } from './requests.ts';
import { type Action, HEALTHY, type Patch, type Pod, type SessionRecord } from './session.ts';

/** How a call to the session-manager ended. */
export type Outcome =
  /** It is so now. For `status`, `pod` says what was read. */
  | { readonly kind: 'done'; readonly pod?: 'awake' | 'asleep' }
  /** The session-manager answered that it does not know the session. Believed once it is confirmed. */
  | { readonly kind: 'gone' }
  /** It failed and may succeed later. `sent` is false where nothing reached the session-manager. */
  | { readonly kind: 'transient'; readonly sent: boolean; readonly error: string; readonly retryAfter?: number }
  /** It was refused, and will be until somebody mends something. */
  | { readonly kind: 'permanent'; readonly error: string }
  /** It may have happened, or may yet: a time-out, a connection broken after sending. */
  | { readonly kind: 'unknown'; readonly error: string };

export const OUTCOME_KINDS = ['done', 'gone', 'transient', 'permanent', 'unknown'] as const satisfies readonly Outcome['kind'][];

/** How long an outcome may stay unknown, in ms: `SESSION_MANAGER_TIMEOUT + LATE_EFFECT_BOUND`. */
export interface Bounds {
  readonly doubt: number;
}

const FREE = { action: '', token: '', actionUntil: 0 } as const;

/** The doubt that a call of unknown outcome leaves: the later one, if one is open already. */
function doubt(record: SessionRecord, now: number, bounds: Bounds): Patch {
  return { pod: 'unknown', verifyAt: Math.max(record.verifyAt, now + bounds.doubt) };
}

/** What an owner whose lease ran out leaves: its call may have landed, or may yet. A status read leaves no doubt. */
export function takeOver(record: SessionRecord, now: number, bounds: Bounds): Patch {
  return record.action === 'status' ? FREE : { ...FREE, ...doubt(record, now, bounds) };
}

/**
 * What Redis' coming back with older data makes of a record. Whoever is awake is woken once more and verified later; a
 * sleep that was under way is taken back; a sleeper is verified, and woken if its pod is found awake.
 */
export function suspect(record: SessionRecord, now: number, bounds: Bounds): Patch {
  const rewound = record.ingest.rewound;
  if (record.wanted === 'asleep' && record.pod === 'asleep') {
    return { rewound, verifyAt: Math.max(record.verifyAt, now + bounds.doubt) };
  }
  const restored = record.wanted === 'asleep' ? wakeUp(record, 'restored', now) : {};
  return { rewound, ...restored, ...doubt(record, now, bounds) };
}

/** How long a `Retry-After` is obeyed at most, in ms; while a user waits for a wake, for {@link USER_WAIT_MS}. */
export const LONGEST_RETRY_AFTER_MS = 300_000;
const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = { transient: 15_000, unknown: 15_000, permanent: 300_000 } as const;

/**
 * Capped exponential back-off, jittered downwards by up to a quarter so that a fleet does not retry in step.
 *
 * @param failures how many in a row, from 1
 * @param chance 0 to 1
 * @returns ms
 */
export function backoff(kind: keyof typeof LONGEST_BACKOFF_MS, failures: number, chance: number): number {
  const full = Math.min(LONGEST_BACKOFF_MS[kind], FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 20));
  return Math.round(full * (1 - chance / 4));
}

const RESULT: Record<Exclude<Action, 'status'>, 'awake' | 'asleep' | 'gone'> = { sleep: 'asleep', wake: 'awake', delete: 'gone' };

/** What starting a call writes: from here on its effect may be there or not. */
export function begin(action: Action, token: string): Patch {
  return { action, token, ...(action === 'sleep' || action === 'wake' ? { pod: 'unknown' as const } : {}) };
}

/** The call that ended. */
export interface Ended {
  readonly action: Action;
  readonly outcome: Outcome;
  /** A time at or before it was sent, in ms: its answer may have lain unread since. */
  readonly sentAt: number;
  /** What the pod was before the call. */
  readonly podBefore: Pod;
  /** 0 to 1, for the jitter. */
  readonly chance: number;
}

function settled(record: SessionRecord, pod: Pod, now: number): Patch {
  if (pod === 'gone') return burial(record, record.cause, now);
  return { pod, sleptAt: pod === 'asleep' ? (record.pod === 'asleep' ? record.sleptAt : now) : 0, ...HEALTHY, missingSince: 0 };
}

/** How far apart two 404s must be to be believed, in ms: an ingress answers some of its own while it restarts. */
export const CONFIRM_MS = 10_000;
/** How long a session must be tracked before a 404 is believed, in ms: the session-manager may not list a new pod yet. */
const YOUNG_MS = 30_000;

/** The first moment at which another 404 confirms that the session-manager does not know the session, in ms. */
function confirmableAt({ missingSince, createdAt }: SessionRecord, now: number): number {
  return Math.max((missingSince || now) + CONFIRM_MS, createdAt + YOUNG_MS);
}

/** Found awake though Redis says asleep, and Redis has forgotten something since: somebody had woken it. */
function restored(record: SessionRecord, found: Pod | undefined, now: number): Patch {
  const forgotten = record.wanted === 'asleep' && record.pod === 'asleep' && record.rewound > record.sleptAt;
  return forgotten && found === 'awake' ? { ...wakeUp(record, 'restored', now), lastActivity: now } : {};
}

/**
 * What the end of a call writes into the record as it is now (somebody may have touched it meanwhile). Frees the
 * action; it is applied only while the token is still the caller's own.
 */
export function end(record: SessionRecord, { action, outcome, sentAt, podBefore, chance }: Ended, now: number, bounds: Bounds): Patch {
  if (outcome.kind === 'done') {
    if (action === 'status') {
      // Only a status read ends a doubt, and only if it was sent after the doubt was due.
      const verifyAt = sentAt >= record.verifyAt ? 0 : record.verifyAt;
      return { ...FREE, ...settled(record, outcome.pod ?? 'unknown', now), ...restored(record, outcome.pod, now), verifyAt };
    }
    return { ...FREE, ...settled(record, RESULT[action], now), ...(action === 'wake' ? { wokenAt: now } : {}) };
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
    if (sentAt >= confirmAt) return burial(record, record.wanted === 'gone' ? record.cause : 'gone', now);
    const missing = { ...failing('HTTP 404, to be confirmed'), missingSince: record.missingSince || now };
    // A delete is confirmed by another delete, all else by a status read; a user who waits for a wake gets it in between.
    if (action === 'delete') return { ...missing, retryAt: record.wanted === 'gone' ? confirmAt : 0 };
    const verifyAt = Math.max(record.verifyAt, confirmAt);
    if (action === 'status') return { ...missing, verifyAt };
    const retryAt = action === 'wake' ? Math.min(confirmAt, now + backoff('transient', failures, chance)) : confirmAt;
    return { ...missing, verifyAt, pod: podBefore, retryAt: record.wanted === RESULT[action] ? retryAt : 0 };
  }

  const wait = backoff(outcome.kind, failures, chance);
  const failed = { ...failing(outcome.error), ...(outcome.kind === 'permanent' ? { missingSince: 0 } : {}) };
  const longest = record.wanted === 'awake' ? USER_WAIT_MS : LONGEST_RETRY_AFTER_MS;
  const retryAfter = outcome.kind === 'transient' && outcome.retryAfter ? { notBefore: now + Math.min(outcome.retryAfter, longest) } : {};
  if (action === 'status') return { ...failed, ...retryAfter, verifyAt: now + wait };
  // Somebody came meanwhile and wants something else: the back-off of this call must not delay that.
  const retry = { ...failed, ...retryAfter, retryAt: record.wanted === RESULT[action] ? now + wait : 0 };
  if (outcome.kind === 'unknown') return { ...retry, ...doubt(record, now, bounds) };
  const untouched = outcome.kind === 'permanent' || !outcome.sent;
  return untouched ? { ...retry, pod: podBefore } : retry;
}

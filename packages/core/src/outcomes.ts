import { burial } from './requests.ts';
import { type Action, HEALTHY, type Patch, type Pod, type SessionRecord } from './session.ts';

/** How a call to the session-manager ended. */
export type Outcome =
  /** It is so now. For `status`, `pod` says what was read. */
  | { readonly kind: 'done'; readonly pod?: 'awake' | 'asleep' }
  /** The session-manager does not know the session. */
  | { readonly kind: 'gone' }
  /** It failed and may succeed later. `sent` is false where nothing reached the session-manager. */
  | { readonly kind: 'transient'; readonly sent: boolean; readonly error: string; readonly retryAfter?: number }
  /** It was refused, and will be until somebody mends something. */
  | { readonly kind: 'permanent'; readonly error: string }
  /** It may have happened, or may yet: a time-out, a connection broken after sending. */
  | { readonly kind: 'unknown'; readonly error: string };

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
  const restored = record.wanted === 'asleep' ? ({ wanted: 'awake', cause: 'restored', ...HEALTHY } as const) : {};
  return { rewound, ...restored, ...doubt(record, now, bounds) };
}

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
  /** What the pod was before the call. */
  readonly podBefore: Pod;
  /** 0 to 1, for the jitter. */
  readonly chance: number;
}

function settled(record: SessionRecord, pod: Pod, now: number): Patch {
  if (pod === 'gone') return burial(record, record.cause, now);
  return { pod, sleptAt: pod === 'asleep' ? (record.pod === 'asleep' ? record.sleptAt : now) : 0, ...HEALTHY };
}

/** Found awake though Redis says asleep, and Redis has forgotten something since: somebody had woken it. */
function restored(record: SessionRecord, found: Pod | undefined, now: number): Patch {
  const forgotten = record.wanted === 'asleep' && record.pod === 'asleep' && record.rewound > record.sleptAt;
  return forgotten && found === 'awake' ? { wanted: 'awake', cause: 'restored', lastActivity: now } : {};
}

/**
 * What the end of a call writes into the record as it is now (somebody may have touched it meanwhile). Frees the
 * action; it is applied only while the token is still the caller's own.
 */
export function end(record: SessionRecord, { action, outcome, podBefore, chance }: Ended, now: number, bounds: Bounds): Patch {
  if (outcome.kind === 'done') {
    // A status read that the look sent was due: it, and nothing else, ends the doubt.
    if (action === 'status')
      return { ...FREE, ...settled(record, outcome.pod ?? 'unknown', now), ...restored(record, outcome.pod, now), verifyAt: 0 };
    return { ...FREE, ...settled(record, RESULT[action], now) };
  }
  if (outcome.kind === 'gone') return burial(record, record.wanted === 'gone' ? record.cause : 'gone', now);

  const failures = record.failures + 1;
  const wait = backoff(outcome.kind, failures, chance);
  const failing: Patch = { ...FREE, failures, failingSince: record.failingSince || now, lastError: `${action}: ${outcome.error}` };
  const retryAfter = outcome.kind === 'transient' && outcome.retryAfter ? { notBefore: now + outcome.retryAfter } : {};
  if (action === 'status') return { ...failing, ...retryAfter, verifyAt: now + wait };
  // Somebody came meanwhile and wants something else: the back-off of this call must not delay that.
  const retry = { ...failing, ...retryAfter, retryAt: record.wanted === RESULT[action] ? now + wait : 0 };
  if (outcome.kind === 'unknown') return { ...retry, ...doubt(record, now, bounds) };
  const untouched = outcome.kind === 'permanent' || !outcome.sent;
  return untouched ? { ...retry, pod: podBefore } : retry;
}

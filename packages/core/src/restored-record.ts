import type { Intake } from './intake.ts';
import type { EffectBounds } from './outcomes.ts';
import type { Policy } from './policy.ts';
import { newSession } from './requests.ts';
import type { LiveStatus, Patch } from './session.ts';

/** What the ledger has of a session. Times in ms, by the clock that wrote them. */
export interface SessionInLedger {
  readonly userId: string;
  readonly workspaceUrl: string;
  readonly policy: Policy;
  readonly status: LiveStatus;
  readonly createdAt: number;
  readonly lastActivity: number;
  /** Null where the session does not sleep. */
  readonly sleptAt: number | null;
  /** Until when the session is kept; 0: it is not. */
  readonly keepUntil: number;
}

/** The pod's status as the session-manager answered it; `unread`: it could not be read. */
export type FoundPod = 'awake' | 'asleep' | 'unread';

/** The state of Sandman at the time of the restore. */
export interface RestoreContext extends EffectBounds {
  /** ms of the shard's Redis clock. */
  readonly now: number;
  /** The intake of the session's shard. */
  readonly intake: Intake;
  /** How long before `now` no user could come back, in ms. Deletes of sleeping sessions move later by it. */
  readonly outage: number;
}

/**
 * Returns how much later a sleeping session's delete becomes, in ms: by the outage. Where it would have passed even so, or
 * the pod's status could not be read and the pod may be in use, `deleteAfter` starts again at `now`.
 */
function deleteDelay({ policy, lastActivity }: SessionInLedger, sleptAt: number, found: FoundPod, { now, outage }: RestoreContext): number {
  const from = Math.max(sleptAt, lastActivity);
  const passed = from + (policy.deleteAfter ?? Number.POSITIVE_INFINITY) + outage <= now;
  return passed || found === 'unread' ? Math.max(outage, now - from) : outage;
}

/**
 * Builds the record of a session whose record was lost, from its row in the ledger and the status of its pod.
 *
 * Only a session that sleeps by the ledger and whose pod was not found awake stays asleep; any other is wanted awake, unless
 * it was being deleted. Calls from before the loss may still take effect, so every restored record has an open doubt. A
 * sleeping session whose pod is found awake later counts as woken by a user, because `rewound` is set.
 *
 * No idle sleep is decided during a doubt. If `sleepAfter` is shorter than the doubt, the doubt ends when the sleep is due,
 * so that the sleep is on time.
 *
 * A keep goes on. A grace does not, because the ledger lacks it: the session sleeps, and is deleted when its policy says.
 */
export function restoredRecord(past: SessionInLedger, found: FoundPod, present: RestoreContext): Patch {
  const { now, intake, doubt } = present;
  const { userId, workspaceUrl, policy, status } = past;
  const createdAt = Math.min(past.createdAt, now);
  const pod = found === 'unread' ? 'unknown' : found;
  const reborn: Patch = {
    ...newSession({ userId, workspaceUrl, policy, cause: 'restored' }, null, now),
    createdAt,
    verifyAt: now + doubt,
    lostBefore: intake.lostTime,
    rewound: now,
    keepUntil: status !== 'deleting' && past.keepUntil > now ? past.keepUntil : 0,
  };
  if (status === 'deleting') return { ...reborn, wanted: 'gone', pod, lastActivity: Math.min(past.lastActivity, now) };
  if (status === 'sleeping' && found !== 'awake') {
    // Without a time of the sleep, the last activity is the earliest that it can have been.
    const sleptAt = Math.min(past.sleptAt ?? past.lastActivity, now);
    const lastActivity = Math.min(past.lastActivity, now);
    const lostBefore = intake.lostTime - deleteDelay({ ...past, lastActivity }, sleptAt, found, present);
    return { ...reborn, wanted: 'asleep', pod: 'asleep', sleptAt, lastActivity, lostBefore };
  }
  return { ...reborn, pod, verifyAt: now + Math.min(doubt, policy.sleepAfter ?? doubt) };
}

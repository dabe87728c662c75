import type { Ingest } from './ingest.ts';
import type { Bounds } from './outcomes.ts';
import type { Policy } from './policy.ts';
import { birth } from './requests.ts';
import type { LiveStatus, Patch } from './session.ts';

/** What a ledger remembers of a session. Times in ms, by the clock that wrote them. */
export interface Past {
  readonly userId: string;
  readonly workspaceUrl: string;
  readonly policy: Policy;
  readonly status: LiveStatus;
  readonly createdAt: number;
  readonly lastActivity: number;
  /** Null where it does not sleep. */
  readonly sleptAt: number | null;
}

/** What the session-manager said of the pod; `unread`: nothing. */
export type Found = 'awake' | 'asleep' | 'unread';

/** What it comes back to. */
export interface Present extends Bounds {
  /** ms of the shard's Redis clock. */
  readonly now: number;
  /** The shard's. */
  readonly ingest: Ingest;
  /** For how long nobody could come back before now, ms: sleepers' deletes move out by that. */
  readonly outage: number;
}

/** What a sleeper's delete moves out by, in ms. Where it passed while nobody could come, or the pod may be in use, it starts anew. */
function grace({ policy, lastActivity }: Past, sleptAt: number, found: Found, { now, outage }: Present): number {
  const from = Math.max(sleptAt, lastActivity);
  const passed = from + (policy.deleteAfter ?? Number.POSITIVE_INFINITY) + outage <= now;
  return passed || found === 'unread' ? Math.max(outage, now - from) : outage;
}

/**
 * The record of a session whose record was lost, from what a ledger remembers and what its pod is now. When in doubt it is
 * wanted awake: only what the ledger has asleep and nobody found awake stays asleep. Calls from before the loss may still
 * land, so each is in doubt: a sleeper found awake then counts as woken by somebody (`rewound` says so).
 *
 * A doubt holds up an idle sleep; of a policy that sleeps sooner it ends when the sleep is due, or none would be on time.
 */
export function rebirth(past: Past, found: Found, present: Present): Patch {
  const { now, ingest, doubt } = present;
  const { userId, workspaceUrl, policy, status } = past;
  const createdAt = Math.min(past.createdAt, now);
  const pod = found === 'unread' ? 'unknown' : found;
  const reborn: Patch = {
    ...birth({ userId, workspaceUrl, policy, cause: 'restored' }, null, now),
    createdAt,
    verifyAt: now + doubt,
    lostBefore: ingest.lost,
    rewound: now,
  };
  if (status === 'deleting') return { ...reborn, wanted: 'gone', pod, lastActivity: Math.min(past.lastActivity, now) };
  if (status === 'sleeping' && found !== 'awake') {
    // Whoever is asleep without a time for it, fell asleep after the user's last word.
    const sleptAt = Math.min(past.sleptAt ?? past.lastActivity, now);
    const lastActivity = Math.min(past.lastActivity, now);
    const lostBefore = ingest.lost - grace({ ...past, lastActivity }, sleptAt, found, present);
    return { ...reborn, wanted: 'asleep', pod: 'asleep', sleptAt, lastActivity, lostBefore };
  }
  return { ...reborn, pod, verifyAt: now + Math.min(doubt, policy.sleepAfter ?? doubt) };
}

import type { LiveReading, SessionRecord } from '@sandman/core';
import type { SessionService } from '@sandman/lifecycle';

/** How often a session is touched, in ms: at least, as its policy may become shorter meanwhile, and at most. */
const LONGEST_TICK_MS = 1_000;
const SHORTEST_TICK_MS = 50;

/** How often a request that lasts touches its session, in ms: well within its idle time. */
function tickOf({ policy }: SessionRecord): number {
  const idle = policy.sleepAfter ?? policy.deleteAfter ?? Number.POSITIVE_INFINITY;
  return Math.max(SHORTEST_TICK_MS, Math.min(LONGEST_TICK_MS, idle / 3));
}

/** Who waits for a request that lasts. */
export interface Waiting {
  /** Whether the caller is still there: its waiting is the user's own activity. After that the request is background activity. */
  readonly connected: () => boolean;
  /** Told, once, that background activity does not keep the session awake any longer. */
  readonly spent?: () => void;
}

/** When background activity ends to keep the session awake, as `performance.now()` has it. */
function spentAt({ record, now }: LiveReading): number {
  return performance.now() + record.lastActivity + record.policy.backgroundCap - now;
}

/**
 * Keeps a session awake by touches that expire by themselves: whatever happens to this process, nothing is left behind
 * that would keep the pod awake for ever, as a counter of requests in flight would.
 *
 * @returns what ends it
 */
export function keepAwake(service: SessionService, reading: LiveReading, { connected, spent = () => {} }: Waiting): () => void {
  let timer: NodeJS.Timeout;
  let over = false;
  const next = (record: SessionRecord, end: number) => {
    timer = setTimeout(async () => {
      const kind = connected() ? 'user' : 'background';
      if (kind === 'background' && performance.now() >= end) {
        // Its user may have come in another way.
        const fresh = await service.get(record.uuid).catch(() => null);
        if (over) return;
        if (!fresh || spentAt(fresh) <= performance.now()) return spent();
      }
      // A touch that fails is made up for by the next; a deleted session is not kept.
      const touched = await service.activity(record.uuid, kind, null).catch(() => null);
      if (!over) next(touched?.record ?? record, touched ? spentAt(touched) : end);
    }, tickOf(record));
  };
  next(reading.record, spentAt(reading));
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

import type { LiveReading, SessionRecord } from '@sandman/core';
import type { SessionService } from '@sandman/lifecycle';

/** The longest and the shortest time between two touches, in ms. The longest is bounded because the policy may become shorter meanwhile. */
const LONGEST_TICK_MS = 1_000;
const SHORTEST_TICK_MS = 50;

/** Returns how often a long request touches its session, in ms: a third of the idle time, within the bounds above. */
function touchInterval({ policy }: SessionRecord): number {
  const idle = policy.sleepAfter ?? policy.deleteAfter ?? Number.POSITIVE_INFINITY;
  return Math.max(SHORTEST_TICK_MS, Math.min(LONGEST_TICK_MS, idle / 3));
}

/** The caller of a long request. */
export interface WaitingCaller {
  /** Whether the caller is still connected. While it is, the request counts as user activity, and after that as background activity. */
  readonly connected: () => boolean;
  /** Called once, when background activity no longer keeps the session awake. */
  readonly backgroundEnded?: () => void;
}

/** Returns the time at which background activity stops keeping the session awake, in ms as of `performance.now()`. */
function backgroundEndsAt({ record, now }: LiveReading): number {
  return performance.now() + record.lastActivity + record.policy.backgroundCap - now;
}

/**
 * Keeps a session awake by touching it repeatedly. Touches expire by themselves: if this process dies, nothing keeps the pod
 * awake for ever, as a counter of requests in flight would.
 *
 * @returns a function that stops the touches
 */
export function keepAwake(
  service: SessionService,
  reading: LiveReading,
  { connected, backgroundEnded = () => {} }: WaitingCaller,
): () => void {
  let timer: NodeJS.Timeout;
  let over = false;
  const next = (record: SessionRecord, end: number) => {
    timer = setTimeout(async () => {
      const kind = connected() ? 'user' : 'background';
      if (kind === 'background' && performance.now() >= end) {
        // The user may have been active through another request.
        const fresh = await service.get(record.uuid).catch(() => null);
        if (over) return;
        if (!fresh || backgroundEndsAt(fresh) <= performance.now()) return backgroundEnded();
      }
      // The next touch makes up for one that fails. A touch of a deleted session has no effect.
      const touched = await service.activity.record(record.uuid, kind, null).catch(() => null);
      if (!over) next(touched?.record ?? record, touched ? backgroundEndsAt(touched) : end);
    }, touchInterval(record));
  };
  next(reading.record, backgroundEndsAt(reading));
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

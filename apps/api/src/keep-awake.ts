import type { SessionRecord } from '@sandman/core';
import type { SessionService } from '@sandman/lifecycle';

/** How often a session is touched, in ms: at least, as its policy may become shorter meanwhile, and at most. */
const LONGEST_TICK_MS = 1_000;
const SHORTEST_TICK_MS = 50;

/** How often a request that lasts touches its session, in ms: well within its idle time. */
function tickOf({ policy }: SessionRecord): number {
  const idle = policy.sleepAfter ?? policy.deleteAfter ?? Number.POSITIVE_INFINITY;
  return Math.max(SHORTEST_TICK_MS, Math.min(LONGEST_TICK_MS, idle / 3));
}

/**
 * Keeps a session awake by touches that expire by themselves: whatever happens to this process, nothing is left behind
 * that would keep the pod awake for ever, as a counter of requests in flight would.
 *
 * @returns what ends it
 */
export function keepAwake(service: SessionService, record: SessionRecord): () => void {
  let timer: NodeJS.Timeout;
  let over = false;
  const next = (known: SessionRecord) => {
    timer = setTimeout(async () => {
      // A touch that fails is made up for by the next; a deleted session is not kept.
      const touched = await service.activity(known.uuid, 'user', null).catch(() => null);
      if (!over) next(touched?.record ?? known);
    }, tickOf(known));
  };
  next(record);
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

/** A timer that fires later than this, in ms, means that the process stood still. */
const LATE_MS = 100;
/** Time to read what arrived during a standstill, in ms. Redis may have stood still as well, and answers within this time. */
const GRACE_MS = 200;

/**
 * Calls `expire` after `ms` ms. If the process stood still meanwhile (a virtual machine that was paused, a container that used up
 * its share of the processor), `expire` is called 200 ms later: Node runs timers that are due before it reads its sockets, so
 * without this time an answer that has already arrived would count as missing.
 *
 * @param expire must do nothing if the answer is there. It may be called after the timer was cleared
 */
export function startTimeLimit(ms: number, expire: () => void): NodeJS.Timeout {
  const due = performance.now() + ms;
  return setTimeout(() => {
    if (performance.now() - due < LATE_MS) expire();
    else setTimeout(expire, GRACE_MS).unref();
  }, ms);
}

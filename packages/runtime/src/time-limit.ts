/** A timer that fires later than this, in ms, means that the process stood still for long. */
const LATE_MS = 100;
/** How long an answer may then take, in ms, because the other side may have stood still as well. */
const GRACE_MS = 200;

/**
 * Calls `expire` after `ms` ms, once what has arrived by then is read. Node runs timers that are due before it reads its sockets, so in
 * a process that stood still (a long computation, a paused virtual machine, a container over its share of the processor) an answer that is
 * there would count as missing. After a long standstill `expire` is called 200 ms later.
 *
 * @param expire must do nothing if the answer is there. It may be called after the timer was cleared
 */
export function startTimeLimit(ms: number, expire: () => void): NodeJS.Timeout {
  const due = performance.now() + ms;
  return setTimeout(() => {
    if (performance.now() - due < LATE_MS) setImmediate(expire);
    else setTimeout(expire, GRACE_MS).unref();
  }, ms);
}

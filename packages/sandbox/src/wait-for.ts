/** The pause between two looks at a condition: a twentieth of the time waited so far, within these bounds in ms. */
const LEAST_PAUSE_MS = 20;
const MOST_PAUSE_MS = 200;

/** A pause that lasts longer than this, in ms, means that the machine stood still: the processes had no time either. */
const STANDSTILL_MS = 1_000;

/**
 * Waits until a condition holds. A long wait asks less often, because most conditions ask a process that is being tested. A time
 * in which the whole machine stood still (a virtual machine that was paused) does not count.
 *
 * @param what describes the condition in the error
 * @param timeout ms
 * @returns the first value of the condition that is neither false, null nor undefined
 * @throws Error if it does not hold in time
 */
export async function waitFor<T>(what: string, condition: () => Promise<T> | T, timeout = 30_000): Promise<NonNullable<T>> {
  let from = performance.now();
  for (;;) {
    const value = await condition();
    if (value !== false && value !== null && value !== undefined) return value;
    const now = performance.now();
    const waited = now - from;
    if (waited > timeout) throw new Error(`not within ${timeout} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(MOST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, waited / 20))));
    const paused = performance.now() - now;
    if (paused > STANDSTILL_MS) from += paused;
  }
}

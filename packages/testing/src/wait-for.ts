/**
 * Waits until a condition holds.
 *
 * @param what describes the condition in the error
 * @param timeout ms
 * @returns the first value of the condition that is neither false, null nor undefined
 * @throws Error if it does not hold in time
 */
export async function waitFor<T>(what: string, condition: () => Promise<T> | T, timeout = 15_000): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== null && value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`not within ${timeout} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

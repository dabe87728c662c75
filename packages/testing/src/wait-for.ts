/**
 * Waits until a condition holds.
 *
 * @param what for the error's message
 * @param timeout ms
 * @returns what the condition answered that was neither false, null nor undefined
 * @throws Error when it did not hold in time
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

/**
 * Calls `act` for each item, at most `atOnce` at a time. Begins no more once `signal` is aborted.
 *
 * @param act must not throw
 */
export async function forEachSome<T>(
  items: readonly T[],
  atOnce: number,
  signal: AbortSignal,
  act: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  const lane = async () => {
    for (const item of rest) {
      if (signal.aborted) return;
      await act(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
}

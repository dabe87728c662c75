/**
 * Calls `act` for each item, at most `atOnce` at a time. Begins no more once `signal` is aborted or a call has thrown.
 *
 * @throws the first error, once all calls in flight have ended
 */
export async function forEachConcurrently<T>(
  items: AsyncIterator<T> | Iterator<T>,
  atOnce: number,
  signal: AbortSignal,
  act: (item: T) => Promise<void>,
): Promise<void> {
  let thrown: { readonly error: unknown } | null = null;
  const lane = async () => {
    while (!signal.aborted && !thrown) {
      try {
        const { value, done } = await items.next();
        if (done) return;
        await act(value);
      } catch (error) {
        thrown ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  if (thrown) throw (thrown as { error: unknown }).error;
}

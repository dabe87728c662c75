/** How many are under way at once: what a rate of hundreds per second needs, where an answer takes a tenth of one. */
export const AT_ONCE = 64;

/**
 * Does it for each, some at a time, until the signal says that no more are to be begun. After one that throws no more are
 * begun either.
 *
 * @throws what was thrown first, once all that was under way has ended
 */
export async function inLanes<T>(
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

/** The first so many of them, or all. */
export async function firstOf<T>(items: AsyncIterator<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  while (taken.length < count) {
    const { value, done } = await items.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

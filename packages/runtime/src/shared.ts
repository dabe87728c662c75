/** A reading that takes longer is given up, in ms: a dead connection may go unnoticed for 15 minutes. */
const GIVEN_UP_MS = 10_000;

/**
 * Shares one reading among all callers. Callers that come during the reading wait for it. Its value is returned until `ms`
 * after it began. If it has not ended after 10 s, the next caller starts another.
 *
 * @returns a function that returns the shared value
 */
export function shared<T>(ms: number, read: () => Promise<T>): () => Promise<T> {
  let last: { readonly at: number; isUnderWay: boolean; readonly value: Promise<T> } | null = null;
  return () => {
    if (last && performance.now() - last.at < (last.isUnderWay ? Math.max(ms, GIVEN_UP_MS) : ms)) return last.value;
    const mine = { at: performance.now(), isUnderWay: true, value: read() };
    last = mine;
    mine.value.then(
      () => {
        mine.isUnderWay = false;
      },
      () => {
        // The callers that wait get the error; the next caller starts another reading.
        if (last === mine) last = null;
      },
    );
    return mine.value;
  };
}

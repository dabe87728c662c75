/** After so long a reading that has not ended is given up, in ms: a connection that is dead may not say so for a quarter of an hour. */
const GIVEN_UP_MS = 10_000;

/**
 * Shares one reading among all who ask. Those who ask while it is under way wait for it; its value is answered until `ms`
 * after it began. After 10 s without an end the next one who asks starts another.
 *
 * @returns a function that asks
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
        // An error is thrown to those who wait for it; the next one asks anew.
        if (last === mine) last = null;
      },
    );
    return mine.value;
  };
}

/**
 * Shares one reading among all who ask. Those who ask while it is under way wait for it; its value is answered until `ms`
 * after it began.
 *
 * @returns a function that asks
 */
export function shared<T>(ms: number, read: () => Promise<T>): () => Promise<T> {
  let last: { readonly at: number; isUnderWay: boolean; readonly value: Promise<T> } | null = null;
  return () => {
    if (last && (last.isUnderWay || performance.now() - last.at < ms)) return last.value;
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

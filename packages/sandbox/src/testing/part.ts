/**
 * Tells `describe.skipIf` whether a part that not every machine has is missing, and prints one line if so.
 *
 * @param part as `SANDMAN_REQUIRE` names it
 * @param remedy what to install; null if nothing is missing
 * @throws Error if `SANDMAN_REQUIRE`, comma-separated, names the missing part
 */
export function lacks(part: string, remedy: string | null): boolean {
  if (remedy === null) return false;
  const line = `no ${part} here: ${remedy}`;
  if ((process.env.SANDMAN_REQUIRE ?? '').split(',').includes(part)) throw new Error(line);
  console.log(`skipped, ${line}`);
  return true;
}

/**
 * Whether a part that not every machine has is missing, for `describe.skipIf`. Says so in one line.
 *
 * @param part as `SANDMAN_REQUIRE` names it
 * @param remedy what to install; null where nothing is missing
 * @throws Error where `SANDMAN_REQUIRE`, comma-separated, wants the part
 */
export function lacks(part: string, remedy: string | null): boolean {
  if (remedy === null) return false;
  const line = `no ${part} here: ${remedy}`;
  if ((process.env.SANDMAN_REQUIRE ?? '').split(',').includes(part)) throw new Error(line);
  console.log(`skipped, ${line}`);
  return true;
}

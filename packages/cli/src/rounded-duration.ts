const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** Formats ms in at most two adjacent units: `45s`, `4m 12s`, `2d 3h`. Under 1 s, or negative, it is `0s`. */
export function formatRoundedDuration(ms: number): string {
  const first = UNITS.findIndex(([, unit]) => ms >= unit);
  if (first < 0) return '0s';
  const [[name, unit], next] = [UNITS[first]!, UNITS[first + 1]];
  const rest = next ? Math.floor((ms % unit) / next[1]) : 0;
  return `${Math.floor(ms / unit)}${name}${next && rest > 0 ? ` ${rest}${next[0]}` : ''}`;
}

/**
 * Formats the time until a moment: `4m 12s`, `now` if it is due, `-` if there is none.
 *
 * @param time ISO 8601
 * @param now in ms of the epoch, by this machine's clock
 */
export function formatUntil(time: string | null, now: number): string {
  if (time === null) return '-';
  const left = Date.parse(time) - now;
  return left <= 0 ? 'now' : formatRoundedDuration(left);
}

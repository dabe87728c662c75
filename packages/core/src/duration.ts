import { InvalidInput } from './errors.ts';

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const FORM = /^(\d{1,15})(?:(ms|s|m|h|d))?$/;

/** The longest duration that is accepted: 365 days, in ms. */
export const LONGEST_MS = 365 * UNIT_MS.d;

/**
 * Reads `500ms`, `90s`, `15m`, `24h`, `7d`, or a bare number of milliseconds.
 *
 * @param field the name of the field, for the error
 * @param longest the longest duration that is accepted, in ms
 * @returns milliseconds, 1 to `longest`
 * @throws InvalidInput when `value` is not of that form or out of range
 */
export function parseDuration(value: unknown, field: string, longest = LONGEST_MS): number {
  const match = typeof value === 'string' || typeof value === 'number' ? FORM.exec(String(value)) : null;
  const ms = match ? Number(match[1]) * UNIT_MS[(match[2] ?? 'ms') as keyof typeof UNIT_MS] : Number.NaN;
  if (!(ms >= 1 && ms <= longest)) {
    throw new InvalidInput(field, `must be a duration such as 500ms, 90s, 15m, 24h or 7d, from 1ms to ${formatDuration(longest)}`);
  }
  return ms;
}

/** Writes milliseconds in the largest unit that divides them: 900000 → `15m`. One day is written as `24h`, the usual form. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms % UNIT_MS[unit] === 0 && !(unit === 'd' && ms === UNIT_MS.d)) return `${ms / UNIT_MS[unit]}${unit}`;
  }
  return `${ms}ms`;
}

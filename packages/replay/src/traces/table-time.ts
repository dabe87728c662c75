import type { Zone } from './zone.ts';

/** A time in a table: ms since 1970, or why it is none. */
export type TableTime = { readonly kind: 'time'; readonly at: number } | { readonly kind: 'no-zone' } | { readonly kind: 'no-time' };

const NO_TIME: TableTime = { kind: 'no-time' };

/** ISO 8601 as databases write it: with `T` or a space, and a zone such as `Z`, `UTC`, `+00`, `+0000` or `+00:00`. */
const ISO = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)? ?(?:(Z|UTC|GMT)|([+-])(\d{2})(?::?(\d{2}))?)?$/i;

const UNIX = /^\d{1,17}(?:\.\d{1,9})?$/;

/**
 * Unix times by size: the least value of each unit, and its length in ms. Each range lasts from 1973 to 5138. A smaller number is not
 * a time, but perhaps the number of a row.
 */
const UNITS = [
  { from: 1e14, ms: 0.001 },
  { from: 1e11, ms: 1 },
  { from: 1e8, ms: 1_000 },
] as const;
const UNIX_END = 1e17;

function unixTime(value: number): TableTime {
  const unit = value < UNIX_END ? UNITS.find(({ from }) => value >= from) : undefined;
  // Rounded to µs first: 0.123 s are 122.99… ms as a number.
  return unit ? { kind: 'time', at: Math.floor(Math.round(value * unit.ms * 1_000) / 1_000) } : NO_TIME;
}

function isoTime(match: RegExpExecArray, zone: Zone | null): TableTime {
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const ms = Math.floor(Number(`0.${match[7] ?? 0}`) * 1_000);
  const local = Date.UTC(year, month - 1, day, hour, minute, second, ms);
  // Date.UTC turns 30 February into 2 March, and hour 24 into the next day.
  const inRange = month >= 1 && month <= 12 && new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;
  const [zoneHour, zoneMinute] = [Number(match[10] ?? 0), Number(match[11] ?? 0)];
  if (!inRange || hour > 23 || minute > 59 || second > 59 || zoneHour > 23 || zoneMinute > 59) return NO_TIME;
  const offset = (zoneHour * 60 + zoneMinute) * (match[9] === '-' ? -60_000 : 60_000);
  const zoned = match[8] !== undefined || match[9] !== undefined;
  if (!zoned && zone === null) return { kind: 'no-zone' };
  const at = zoned ? local - offset : zone!.toUtc(local);
  // In a record, time 0 means "none", so all times must be later.
  return at > 0 ? { kind: 'time', at } : NO_TIME;
}

/**
 * Parses a time as a database exports it: ISO 8601, or a Unix time in seconds, milliseconds or microseconds, told apart by size.
 *
 * @param zone of ISO times without one; null if there is none. A Unix time has no zone
 */
export function parseTableTime(value: unknown, zone: Zone | null): TableTime {
  if (typeof value === 'number') return unixTime(value);
  if (typeof value !== 'string') return NO_TIME;
  const text = value.trim();
  if (UNIX.test(text)) return unixTime(Number(text));
  const match = ISO.exec(text);
  return match ? isoTime(match, zone) : NO_TIME;
}

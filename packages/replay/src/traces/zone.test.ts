import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseZone } from './zone.ts';

const utc = (zone: string, local: string) => new Date(parseZone(zone, 'x').toUtc(Date.parse(`${local}Z`))).toISOString();

it.each([
  ['UTC', '2026-01-05T09:00:00.000', '2026-01-05T09:00:00.000Z'],
  ['+05:30', '2026-01-05T09:00:00.123', '2026-01-05T03:30:00.123Z'],
  ['Europe/Berlin', '2026-01-05T09:00:00.000', '2026-01-05T08:00:00.000Z'],
  ['Europe/Berlin', '2026-07-05T09:00:00.000', '2026-07-05T07:00:00.000Z'],
  ['America/New_York', '2026-01-05T20:00:00.000', '2026-01-06T01:00:00.000Z'],
  ['Asia/Kathmandu', '2026-01-05T00:00:00.000', '2026-01-04T18:15:00.000Z'],
  ['Australia/Lord_Howe', '2026-01-05T11:00:00.000', '2026-01-05T00:00:00.000Z'],
])('%s: %s is %s', (zone, local, expected) => {
  expect(utc(zone, local)).toBe(expected);
});

it('takes the first of two times, and moves a skipped one forward', () => {
  // 2026-10-25, 3:00 becomes 2:00. 2026-03-29, 2:00 becomes 3:00.
  expect(utc('Europe/Berlin', '2026-10-25T02:30:00.000')).toBe('2026-10-25T00:30:00.000Z');
  expect(utc('Europe/Berlin', '2026-10-25T03:00:00.000')).toBe('2026-10-25T02:00:00.000Z');
  expect(utc('Europe/Berlin', '2026-03-29T01:59:59.999')).toBe('2026-03-29T00:59:59.999Z');
  expect(utc('Europe/Berlin', '2026-03-29T02:30:00.000')).toBe('2026-03-29T01:30:00.000Z');
});

it('is the inverse of what a clock in the zone shows', () => {
  const names = ['Europe/London', 'America/St_Johns', 'America/Sao_Paulo', 'Asia/Tokyo', 'Pacific/Apia', 'Africa/Casablanca'];
  const clocks = new Map(names.map((name) => [name, { zone: parseZone(name, 'x'), clock: clockOf(name) }]));
  const times = fc.integer({ min: 500_000_000, max: 1_900_000_000 });
  fc.assert(
    fc.property(fc.constantFrom(...names), times, (name, seconds) => {
      const { zone, clock } = clocks.get(name)!;
      const local = clock(seconds * 1_000);
      const found = zone.toUtc(local);
      // Twice a year the clock shows an hour twice: then it is the first, which shows the same.
      expect(clock(found)).toBe(local);
      expect(found).toBeLessThanOrEqual(seconds * 1_000);
    }),
    { numRuns: 500 },
  );
});

/** Returns what a clock shows, as ms since 1970 as if that were UTC. */
function clockOf(timeZone: string): (utc: number) => number {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  return (at) => Date.parse(`${format.format(at).replace(' ', 'T')}Z`);
}

it.each(['', 'Mars', 'Europe', '25:00', 'local'])('%j is refused', (name) => {
  expect(() => parseZone(name, '--zone')).toThrow('--zone must be a time zone such as UTC, Europe/Berlin or +05:30');
});

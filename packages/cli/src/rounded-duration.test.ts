import { expect, it } from 'vitest';
import { formatRoundedDuration, formatUntil } from './rounded-duration.ts';

it.each([
  [-5, '0s'],
  [999, '0s'],
  [45_000, '45s'],
  [252_000, '4m 12s'],
  [3_600_000, '1h'],
  [3_605_000, '1h'],
  [183_600_000, '2d 3h'],
])('%s ms are %s', (ms, text) => expect(formatRoundedDuration(ms)).toBe(text));

it('what is due is now, and what will not be is -', () => {
  const now = Date.parse('2026-11-24T08:00:00.000Z');
  expect([null, '2026-11-24T07:59:59.000Z', '2026-11-24T08:04:12.000Z'].map((time) => formatUntil(time, now))).toEqual([
    '-',
    'now',
    '4m 12s',
  ]);
});

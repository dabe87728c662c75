import { expect, it } from 'vitest';
import { parseRetryAfter } from './retry-after.ts';

it('reads Retry-After as seconds or a date, and never more than a day', () => {
  expect(parseRetryAfter('3')).toBe(3_000);
  expect(parseRetryAfter('999999999')).toBe(86_400_000);
  expect(parseRetryAfter('Thu, 01 Jan 1970 00:00:10 GMT', 4_000)).toBe(6_000);
  for (const bad of [undefined, '', 'soon', '-5', 'Thu, 01 Jan 1970 00:00:00 GMT']) expect(parseRetryAfter(bad)).toBe(0);
});

import { timingSafeEqual } from 'node:crypto';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { keyCheck } from './key-check.ts';

const compared = vi.fn(timingSafeEqual);
const KEYS = ['the-first-key-of-all', 'another-key-that-is-longer-than-that', 'and-a-third-one-here'];
const check = keyCheck(KEYS, compared);

beforeEach(() => {
  compared.mockClear();
});
afterEach(() => {
  // Every key was compared, as a digest of 32 bytes, whatever the request carried.
  expect(compared).toHaveBeenCalledTimes(KEYS.length);
  for (const [known, given] of compared.mock.calls) expect([known.byteLength, given.byteLength]).toEqual([32, 32]);
});

test.each(KEYS)('%s is right', (key) => expect(check({ 'x-api-key': key })).toBe(true));

test.each([
  ['no key', {}],
  ['an empty key', { 'x-api-key': '' }],
  ['the beginning of a key', { 'x-api-key': KEYS[0]!.slice(0, -1) }],
  ['a key and more', { 'x-api-key': `${KEYS[0]}x` }],
  ['a key in other letters', { 'x-api-key': KEYS[0]!.toUpperCase() }],
  ['all keys', { 'x-api-key': KEYS.join(',') }],
  ['a key by another scheme', { authorization: `Basic ${KEYS[0]}` }],
  ['a wrong key before a right one', { 'x-api-key': 'wrong', authorization: `Bearer ${KEYS[0]}` }],
  ['a very long key', { 'x-api-key': 'x'.repeat(10_000) }],
])('%s is wrong', (_, headers: Record<string, string>) => expect(check(headers)).toBe(false));

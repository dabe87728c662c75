import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodePosition, encodePosition, type Position, START } from './position.ts';

const NOW = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const A_YEAR_MS = 365 * 24 * HOUR_MS;

const decode = (text: string, shards: number) => decodePosition(text, shards, 'last-event-id');

/** Makes positions of 1 to 256 shards whose last events are up to `age` ms old, in any order; some shards have no event yet. */
function positions(age: number, sequences = fc.nat(3)) {
  const id = fc.tuple(fc.integer({ min: NOW - age, max: NOW }), sequences).map(([ms, sequence]) => `${ms}-${sequence}`);
  return fc.array(fc.oneof({ weight: 9, arbitrary: id }, fc.constant(START)), { minLength: 1, maxLength: 256, size: 'max' });
}

it('an id says exactly the position that it was made of, in the short form and in the long one', () => {
  const sequences = fc.oneof(fc.nat(3), fc.nat(999_999_999_999_999));
  fc.assert(
    fc.property(positions(NOW, sequences), (position) => {
      expect(decode(encodePosition(position), position.length)).toEqual(position);
      expect(decode(position.join('_'), position.length)).toEqual(position);
    }),
    { numRuns: 300 },
  );
});

it('an id of 256 shards fits into any proxy’s headers', () => {
  const ids = (age: number, sequence: number): Position =>
    Array.from({ length: 256 }, (_, shard) => `${shard === 0 ? NOW : NOW - age + shard}-${sequence}`);
  expect(encodePosition(ids(2 * HOUR_MS, 0)).length).toBeLessThan(1_050);
  expect(encodePosition(ids(A_YEAR_MS, 0)).length).toBeLessThan(1_560);
  expect(encodePosition(ids(A_YEAR_MS, 63)).length).toBeLessThan(1_810);
  expect(encodePosition(Array(256).fill(START)).length).toBeLessThan(300);
  fc.assert(
    fc.property(positions(A_YEAR_MS), (position) => {
      const id = encodePosition(position);
      expect(id).toMatch(/^[\w-]+$/);
      expect(id.length).toBeLessThan(1_810);
    }),
  );
});

it('an id that was cut, extended, changed or made by another number of shards is refused, or says another position', () => {
  fc.assert(
    fc.property(positions(A_YEAR_MS), fc.nat(), fc.constantFrom('', 'A', '_', '.', '=', ' ', 'é'), (position, at, letter) => {
      const id = encodePosition(position);
      expect(() => decode(id, position.length + 1)).toThrow('last-event-id');
      if (position.length > 1) expect(() => decode(id, position.length - 1)).toThrow('last-event-id');
      const place = 1 + (at % id.length);
      const changed = id.slice(0, place) + letter + id.slice(place + 1);
      if (changed === id) return;
      // A changed id is accepted only if it is one that `encodePosition` could have written.
      let read: Position;
      try {
        read = decode(changed, position.length);
      } catch (error) {
        expect((error as Error).message).toContain('last-event-id');
        return;
      }
      expect(read).not.toEqual(position);
      expect(encodePosition(read)).toBe(changed);
    }),
    { numRuns: 300 },
  );
});

it('an id from before the first event says how many shards it is of', () => {
  expect(() => decode(encodePosition([START, START, START]), 4)).toThrow('last-event-id');
});

it.each([
  '',
  'x',
  'p',
  'p.',
  'pAAAA',
  `p${'_'.repeat(400)}`,
  `p${'A'.repeat(40)}`,
  '1-1',
  '1-1_2-2',
  '1-1_2-2_3',
  '1-1_2-2_3-3_4-4',
  '-1-1_2-2_3-3',
])('refuses %j as the id of an event of three shards', (text) => {
  expect(() => decode(text, 3)).toThrow('last-event-id');
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { UuidIndex } from './uuid-index.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-';

it('numbers uuids as a Map would, in the order in which they first come', () => {
  const uuid = fc.oneof(
    fc.string({ unit: fc.constantFrom(...ALPHABET), minLength: 1, maxLength: 64 }),
    fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(uuid, { maxLength: 200 }), (uuids) => {
      const [index, map] = [new UuidIndex(), new Map<string, number>()];
      for (const one of uuids) {
        if (!map.has(one)) map.set(one, map.size);
        expect(index.numberOf(one)).toBe(map.get(one));
      }
      expect(index.size).toBe(map.size);
    }),
    { numRuns: 200 },
  );
});

it('grows through many blocks, and still knows all', () => {
  const index = new UuidIndex();
  // 61 bytes each, in several blocks, none of which is filled to its last byte.
  const uuidOf = (i: number) => `${i}`.padStart(60, '0');
  for (let i = 0; i < 80_000; i++) if (index.numberOf(uuidOf(i)) !== i) throw new Error(`${i} is another`);
  for (let i = 79_999; i >= 0; i--) if (index.numberOf(uuidOf(i)) !== i) throw new Error(`${i} was forgotten`);
  expect(index.size).toBe(80_000);
});

it('tells two uuids of one hash apart', () => {
  // The best-known collision of 32-bit FNV-1a.
  const index = new UuidIndex();
  expect([index.numberOf('costarring'), index.numberOf('liquid'), index.numberOf('costarring')]).toEqual([0, 1, 0]);
});

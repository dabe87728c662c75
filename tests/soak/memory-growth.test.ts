import { describe, expect, it } from 'vitest';
import { measureGrowth } from './memory-growth.ts';

const MB = 1_048_576;
const SAMPLES = 120;

/** Returns the memory of a process of about 150 MB, with a sawtooth of 40 MB from garbage collection, plus `at(i)`; in bytes. */
function series(at: (i: number) => number): number[] {
  return Array.from({ length: SAMPLES }, (_, i) => (150 + 40 * ((i * 7) % 10) * 0.1 + at(i)) * MB);
}

describe('bounded', () => {
  it('noise that goes nowhere', () => {
    const { early, late, bounded } = measureGrowth(series(() => 0));
    expect(bounded).toBe(true);
    expect((late - early) / MB).toBeCloseTo(0);
  });

  it('a warm-up, however much it takes', () => {
    expect(measureGrowth(series((i) => (i < SAMPLES / 4 ? -100 : 0))).bounded).toBe(true);
  });

  it('bursts, a few of them in the last quarter', () => {
    expect(measureGrowth(series((i) => (i % 10 === 9 ? 500 : 0))).bounded).toBe(true);
  });

  it('what shrinks', () => {
    expect(measureGrowth(series((i) => -i)).bounded).toBe(true);
  });
});

describe('a leak', () => {
  it('of 2 MB a sample', () => {
    const { early, late, most, bounded } = measureGrowth(series((i) => 2 * i));
    expect(bounded).toBe(false);
    expect((late - early) / MB).toBeCloseTo(120, -1);
    expect(most).toBeCloseTo(early * 1.15 + 30 * MB);
  });

  it('that a step makes, once and for good', () => {
    expect(measureGrowth(series((i) => (i > SAMPLES / 2 ? 100 : 0))).bounded).toBe(false);
  });

  it('however noisy', () => {
    expect(measureGrowth(series((i) => 2 * i + (i % 10 === 0 ? -80 : 0))).bounded).toBe(false);
  });
});

it('the limit itself is bounded, a byte more is not', () => {
  const early = 200 * MB;
  const most = early * 1.15 + 30 * MB;
  expect(measureGrowth([0, early, early, most]).bounded).toBe(true);
  expect(measureGrowth([0, early, early, most + 1]).bounded).toBe(false);
});

it('a median of an even number lies between the two in the middle', () => {
  expect(measureGrowth([0, 0, 10, 20, 0, 0, 30, 50])).toMatchObject({ early: 15, late: 40 });
});

it('too few measurements, or none at all, judge nothing', () => {
  expect(() => measureGrowth([1, 2, 3])).toThrow('3 measurements are too few');
  expect(() => measureGrowth([])).toThrow(RangeError);
  expect(() => measureGrowth([1, Number.NaN, 3, 4])).toThrow('not a number');
});

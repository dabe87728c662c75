import { describe, expect, it } from 'vitest';
import { T0 } from './example.fixture.ts';
import { couldPing, foresee, type Ingest } from './ingest.ts';

const ingest: Ingest = { beat: T0, floor: T0 - 60_000, lost: 7_000, rewound: T0 - 90_000, warning: 0 };

it('silence counts up to the last heartbeat and not beyond', () => {
  expect(couldPing(ingest, T0 - 1)).toBe(true);
  expect(couldPing(ingest, T0)).toBe(true);
  expect(couldPing(ingest, T0 + 1)).toBe(false);
});

describe('what is to be expected', () => {
  it('is what stands, while APIs are silent for up to 2 s', () => {
    for (const now of [T0 - 50, T0, T0 + 100, T0 + 2_000]) expect(foresee(ingest, now)).toEqual(ingest);
  });

  it('is what stands, where no API has ever beaten', () => {
    const never = { ...ingest, beat: 0 };
    expect(foresee(never, T0)).toEqual(never);
  });

  it('of a longer silence is that it ends now: everybody active until then, and all of it lost', () => {
    expect(foresee(ingest, T0 + 2_001)).toEqual({ ...ingest, floor: T0 + 2_001, lost: 9_001 });
    expect(foresee(ingest, T0 + 60_000)).toEqual({ ...ingest, floor: T0 + 60_000, lost: 67_000 });
  });
});

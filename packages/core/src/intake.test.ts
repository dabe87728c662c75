import { describe, expect, it } from 'vitest';
import { T0 } from './example.fixture.ts';
import { couldPing, type Intake, NEW_INTAKE, withGapEnded } from './intake.ts';

const intake: Intake = { ...NEW_INTAKE, lastHeartbeat: T0, gapEndedAt: T0 - 60_000, lostTime: 7_000, rewoundAt: T0 - 90_000 };

it('silence counts up to the last heartbeat and not beyond', () => {
  expect(couldPing(intake, T0 - 1)).toBe(true);
  expect(couldPing(intake, T0)).toBe(true);
  expect(couldPing(intake, T0 + 1)).toBe(false);
});

describe('the intake with an open gap ended', () => {
  it('is as recorded while APIs are silent for up to 2 s', () => {
    for (const now of [T0 - 50, T0, T0 + 100, T0 + 2_000]) expect(withGapEnded(intake, now)).toEqual(intake);
  });

  it('is as recorded where no API ever sent a heartbeat', () => {
    const never = { ...intake, lastHeartbeat: 0 };
    expect(withGapEnded(never, T0)).toEqual(never);
  });

  it('ends a longer silence now: all were active until then, and all of it is lost time', () => {
    expect(withGapEnded(intake, T0 + 2_001)).toEqual({ ...intake, gapEndedAt: T0 + 2_001, lostTime: 9_001 });
    expect(withGapEnded(intake, T0 + 60_000)).toEqual({ ...intake, gapEndedAt: T0 + 60_000, lostTime: 67_000 });
  });
});

import { expect, it } from 'vitest';
import { Plausibility } from './plausibility.ts';
import type { PodReading } from './status-reader.ts';

function checked(readings: Partial<Record<PodReading['kind'], number>>, { known = false, force = false } = {}): number | null {
  const plausibility = new Plausibility(force);
  for (const [kind, count] of Object.entries(readings)) {
    for (let i = 0; i < count; i++) plausibility.note(kind === 'unread' ? { kind, error: 'HTTP 500' } : { kind: kind as 'awake' });
  }
  try {
    plausibility.check(known);
    return null;
  } catch (error) {
    return (error as { exitCode: number }).exitCode;
  }
}

it.each([
  ['nobody was asked for', {}, {}, null],
  ['all are there', { awake: 10, asleep: 10 }, {}, null],
  ['some are gone', { awake: 15, gone: 5 }, {}, null],
  ['of few most are gone', { awake: 2, gone: 5 }, {}, null],
  ['of many most are gone', { awake: 9, gone: 11 }, {}, 1],
  ['all are gone', { gone: 3 }, {}, 1],
  ['the few that were left are gone', { gone: 3 }, { known: true }, null],
  ['all of those that were left are gone', { gone: 5 }, { known: true }, 1],
  ['all are gone, and that is to be believed', { gone: 30 }, { force: true }, null],
  ['nobody answers', { unread: 3 }, {}, 3],
  ['nobody answers, and that does not matter', { unread: 30 }, { force: true }, null],
  ['some do not answer', { unread: 19, awake: 1 }, {}, null],
])('%s', (_, readings, how, code) => {
  expect(checked(readings, how)).toBe(code);
});

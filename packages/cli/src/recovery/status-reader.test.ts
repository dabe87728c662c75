import { setImmediate } from 'node:timers/promises';
import type { Outcome } from '@sandman/core';
import { describe, expect, it } from 'vitest';
import { type PodReading, StatusReader } from './status-reader.ts';

/** A session-manager that gives these answers in turn, then always the last one. */
function answering(...answers: Outcome[]) {
  const asked: number[] = [];
  const call = async () => {
    asked.push(performance.now());
    return answers[Math.min(asked.length, answers.length) - 1]!;
  };
  return { asked, call };
}

const signal = new AbortController().signal;
const AWAKE: Outcome = { kind: 'done', pod: 'awake' };
const FAILING: Outcome = { kind: 'transient', sent: true, error: 'HTTP 500' };
const later = (retryAfter: number): Outcome => ({ kind: 'transient', sent: false, error: 'HTTP 429', retryAfter });

it.each<[string, Outcome[], PodReading, number]>([
  ['awake', [AWAKE], { kind: 'awake' }, 1],
  ['asleep', [{ kind: 'done', pod: 'asleep' }], { kind: 'asleep' }, 1],
  ['gone', [{ kind: 'gone' }], { kind: 'gone' }, 1],
  ['what fails twice is asked a third time', [FAILING, { kind: 'unknown', error: 'timed out' }, AWAKE], { kind: 'awake' }, 3],
  ['what fails three times is not read', [FAILING], { kind: 'unread', error: 'HTTP 500' }, 3],
  ['what is refused is not asked again', [{ kind: 'permanent', error: 'HTTP 401' }], { kind: 'unread', error: 'HTTP 401' }, 1],
  ['what wants to be asked later is, more often', [later(5), later(5), later(5), later(5), AWAKE], { kind: 'awake' }, 5],
  ['but not in ten minutes', [later(600_000)], { kind: 'unread', error: 'HTTP 429' }, 1],
])('%s', async (_, answers, reading, times) => {
  const pods = answering(...answers);
  expect(await new StatusReader(pods, 10_000, signal).read('a')).toEqual(reading);
  expect(pods.asked).toHaveLength(times);
});

describe('many status reads', () => {
  it('keep to the rate', async () => {
    const reader = new StatusReader(answering(AWAKE), 100, signal);
    const from = performance.now();
    await Promise.all(Array.from({ length: 41 }, () => reader.read('a')));
    expect(performance.now() - from).toBeGreaterThanOrEqual(395);
  });

  it('all wait where one is answered Retry-After', async () => {
    const pods = answering(later(300), AWAKE);
    const reader = new StatusReader(pods, 50, signal);
    const all = Array.from({ length: 20 }, () => reader.read('a'));
    // A process that stands still between two reads makes both calls before either is answered.
    await setImmediate();
    const early = pods.asked.length;
    await Promise.all(all);
    expect(early).toBeLessThan(20);
    expect(pods.asked[early]! - pods.asked[0]!).toBeGreaterThanOrEqual(295);
  });

  it('end at once when their signal aborts', async () => {
    const stop = new AbortController();
    const reader = new StatusReader(answering(later(60_000)), 1, stop.signal);
    const all = Promise.all(Array.from({ length: 5 }, () => reader.read('a')));
    stop.abort();
    expect((await all).every(({ kind }) => kind === 'unread')).toBe(true);
  });
});

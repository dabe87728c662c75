import { describePolicy, PolicySet } from '@sandman/core';
import { describe, expect, it } from 'vitest';
import { policyNote } from './page/policy-note.ts';

const note = (policy: unknown) => policyNote(describePolicy(new PolicySet().resolve(policy)));
const deleted = /^A user who leaves on Friday finds the pod deleted on Monday\./;
const again = /^A user who leaves on Friday finds the pod again on Monday\./;
const longer = /A deleteAfter of 7d \(conservative\) keeps work for a week, 30d for a month\.$/;

describe('the note beside a policy', () => {
  it.each(['balanced', 'aggressive', 'simple'])('%s deletes over a weekend, and the note names what keeps longer', (policy) => {
    expect(note(policy)).toMatch(deleted);
    expect(note(policy)).toMatch(longer);
  });

  it('conservative does not', () => {
    expect(note('conservative')).toBe(
      'A user who leaves on Friday finds the pod again on Monday. A deleteAfter of 30d keeps work for a month.',
    );
  });

  it('a month needs no advice', () => {
    expect(note({ sleepAfter: '15m', deleteAfter: '30d' })).toBe('A user who leaves on Friday finds the pod again on Monday.');
  });

  it('counts from Friday 18:00 to Monday 9:00, the time before the sleep included', () => {
    expect(note({ sleepAfter: '15h', deleteAfter: '48h' })).toMatch(again);
    expect(note({ sleepAfter: '14h', deleteAfter: '48h' })).toMatch(deleted);
    expect(note({ sleepAfter: 'never', deleteAfter: '63h' })).toMatch(again);
    expect(note({ sleepAfter: 'never', deleteAfter: '62h' })).toMatch(deleted);
  });

  it.each(['15m', 'never'])('a policy without a delete says so (sleepAfter %s)', (sleepAfter) => {
    expect(note({ sleepAfter, deleteAfter: 'never' })).toBe('The pod is never deleted for being idle.');
  });
});

it('the presets keep work as long as the note says', () => {
  const { deleteAfter } = new PolicySet().resolve('conservative');
  expect(deleteAfter).toBe(7 * 86_400_000);
});

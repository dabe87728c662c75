import { expect, it } from 'vitest';
import { example, T0 } from './example.fixture.ts';
import { PolicySet } from './policy.ts';
import type { SessionRecord } from './session.ts';
import { type UsageEntry, usageEntries } from './usage.ts';

const awake = example();
const asleep = example({ wanted: 'asleep', pod: 'asleep', cause: 'idle', sleptAt: T0 });
const gone = example({ wanted: 'gone', pod: 'gone', deletedAt: T0 });
const simple = new PolicySet().resolve('simple');
const calling = (record: SessionRecord, action: 'sleep' | 'wake') => ({ ...record, action, token: 't', pod: 'unknown' as const });
const of = (policy: string, item: UsageEntry['item'], by?: 1 | -1) => (by ? { policy, item, by } : { policy, item });

it.each<[string, SessionRecord | null, SessionRecord, unknown[]]>([
  ['a new session is awake, and would be always on', null, awake, [of('balanced', 'alwaysOn', 1), of('balanced', 'awake', 1)]],
  ['activity changes nothing', awake, { ...awake, lastActivity: T0 + 1 }, []],
  ['a pod that is being put to sleep is awake', awake, calling({ ...awake, wanted: 'asleep', cause: 'idle' }, 'sleep'), []],
  [
    'one that was is asleep, and that was a sleep',
    calling({ ...asleep, sleptAt: 0 }, 'sleep'),
    asleep,
    [of('balanced', 'awake', -1), of('balanced', 'asleep', 1), of('balanced', 'sleeps')],
  ],
  [
    'a pod found asleep was not put to sleep by Sandman',
    { ...awake, action: 'status', token: 't' },
    { ...awake, pod: 'asleep' },
    [of('balanced', 'awake', -1), of('balanced', 'asleep', 1)],
  ],
  [
    'a wake after an idle sleep may be a regret',
    asleep,
    { ...asleep, wanted: 'awake', cause: 'activity' },
    [{ ...of('balanced', 'regrets'), since: T0 }],
  ],
  [
    'one that comes during the sleep call as well',
    { ...asleep, pod: 'unknown', sleptAt: 0 },
    awake,
    [{ ...of('balanced', 'regrets'), since: 0 }],
  ],
  ['one after a sleep by hand is none', { ...asleep, cause: 'manual' }, { ...asleep, wanted: 'awake', cause: 'activity' }, []],
  ['nor is the wake of a restored session', asleep, { ...asleep, wanted: 'awake', cause: 'restored' }, []],
  [
    'a pod is paid for from when its wake may have begun',
    { ...asleep, wanted: 'awake', cause: 'activity' },
    calling({ ...awake, cause: 'activity' }, 'wake'),
    [of('balanced', 'asleep', -1), of('balanced', 'awake', 1)],
  ],
  ['the end of a wake is counted', calling(awake, 'wake'), awake, [of('balanced', 'wakes')]],
  ['a call that failed is not', calling(awake, 'wake'), { ...awake, pod: 'unknown' }, []],
  ['the end of a pod stops its clock, and it would be on still', asleep, gone, [of('balanced', 'asleep', -1)]],
  ['a uuid that comes back would be on since it was first there', gone, awake, [of('balanced', 'awake', 1)]],
  [
    'another policy takes all of it over',
    awake,
    { ...awake, policy: simple },
    [of('balanced', 'alwaysOn', -1), of('simple', 'alwaysOn', 1), of('balanced', 'awake', -1), of('simple', 'awake', 1)],
  ],
])('%s', (_, before, after, expected) => {
  expect(usageEntries(before, after)).toEqual(expected);
});

it('the clocks of a session sum to nothing from its creation to its delete', () => {
  const states = [
    null,
    awake,
    calling({ ...awake, wanted: 'asleep', cause: 'idle' }, 'sleep'),
    asleep,
    calling(awake, 'wake'),
    awake,
    gone,
  ];
  const sums = new Map<string, number>();
  for (let i = 1; i < states.length; i++) {
    for (const entry of usageEntries(states[i - 1]!, states[i]!))
      if ('by' in entry) sums.set(entry.item, (sums.get(entry.item) ?? 0) + entry.by);
  }
  expect(Object.fromEntries(sums)).toEqual({ alwaysOn: 1, awake: 0, asleep: 0 });
});

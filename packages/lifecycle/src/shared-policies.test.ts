import { type AgreedPolicies, type AnnouncedPolicies, type PoliciesInForce, PolicySet } from '@sandman/core';
import { describe, expect, it } from 'vitest';
import { settlePromises, VirtualTime } from './lifecycle.fixture.ts';
import { type NextPolicies, SharedPolicies } from './shared-policies.ts';

/** Returns the policies of one process; the test gives what the others have agreed on. */
function sharedPolicies(
  further: Record<string, unknown>,
  version = 0,
  defaultName?: string,
  answer: () => AgreedPolicies = () => ({ policies: null, shadows: [] }),
  beforeUse?: (next: NextPolicies) => Promise<void>,
) {
  const time = new VirtualTime();
  const announcements: [AnnouncedPolicies | null, boolean][] = [];
  const lastReceived: (PoliciesInForce | null)[] = [];
  const failed: unknown[] = [];
  const changed: number[] = [];
  const overruled: number[] = [];
  const policies = new SharedPolicies({
    own: new PolicySet(further, defaultName),
    announces: true,
    version,
    shadows: [],
    agreement: {
      async agree(announced, replaces, last) {
        announcements.push([announced, replaces]);
        lastReceived.push(last);
        return answer();
      },
    },
    system: time,
    ...(beforeUse ? { beforeUse } : {}),
    changed: (to) => changed.push(to),
    overruled: (by) => overruled.push(by),
    failed: (error) => failed.push(error),
  });
  const agree = async (next: () => AgreedPolicies) => {
    answer = next;
    await time.pass(1_000);
    await settlePromises();
  };
  return { policies, announcements, lastReceived, failed, changed, overruled, agree };
}

const held =
  (version: number, house: unknown, shadows: string[] = []) =>
  () => ({ policies: { version, edition: 1, text: JSON.stringify({ house }) }, shadows });
const nothing = () => ({ policies: null, shadows: [] });
const QUICK = { sleepAfter: '1m', deleteAfter: '1h' };
const SLOW = { sleepAfter: '2h', deleteAfter: '1d' };

it('follows the policies in force, and goes on with them when none are received any more', async () => {
  const { policies, changed, overruled, lastReceived, agree } = sharedPolicies({ house: QUICK }, 1);
  const house = () => policies.current.get('house')?.sleepAfter;
  expect(house()).toBe(60_000);
  await agree(held(1, QUICK));
  expect([changed, overruled]).toEqual([[], []]);
  const before = policies.current.get('house')!;
  expect(policies.successor({ policy: before, policyRank: 0 })).toBeNull();
  await agree(held(2, SLOW));
  expect([house(), changed, overruled]).toEqual([7_200_000, [2], [2]]);
  expect(policies.successor({ policy: before, policyRank: 0 })).toEqual(policies.current.get('house'));
  // Redis was emptied: the policies last received are announced again, and stay in use.
  await agree(nothing);
  await agree(nothing);
  expect(lastReceived.at(-1)).toEqual({ version: 2, edition: 1, text: JSON.stringify({ house: SLOW }) });
  expect([house(), changed, overruled]).toEqual([7_200_000, [2], [2]]);
});

it('changes no session before it has received the policies in force', async () => {
  const { policies, agree } = sharedPolicies({ house: QUICK }, 1);
  const former = new PolicySet({ house: SLOW }).get('house')!;
  await settlePromises();
  expect(policies.successor({ policy: former, policyRank: 0 })).toBeNull();
  await agree(held(1, QUICK));
  expect(policies.successor({ policy: former, policyRank: 0 })).toEqual(policies.current.get('house'));
});

it('changes no session that another process gave newer policies, which it has not received yet', async () => {
  const { policies, agree } = sharedPolicies({ house: QUICK }, 1);
  await agree(held(1, QUICK));
  const slow = new PolicySet({ house: SLOW }).get('house')!;
  expect(policies.rank).toBe(1_000_001);
  expect(policies.successor({ policy: slow, policyRank: 2_000_001 })).toBeNull();
  expect(policies.successor({ policy: slow, policyRank: 1_000_000 })).toEqual(policies.current.get('house'));
});

it('changes no session to a preset, which POLICIES may have defined otherwise before', async () => {
  const { policies, agree } = sharedPolicies({});
  const balanced = new PolicySet({ balanced: SLOW }).get('balanced')!;
  await agree(nothing);
  expect(policies.successor({ policy: balanced, policyRank: 0 })).toBeNull();
  await agree(held(2, QUICK));
  expect(policies.successor({ policy: balanced, policyRank: 0 })).toBeNull();
});

it('policies in force that cannot be read change no session, nor do those that were in force before', async () => {
  const { policies, agree } = sharedPolicies({ house: QUICK }, 1);
  await agree(held(1, QUICK));
  const slow = new PolicySet({ house: SLOW }).get('house')!;
  expect(policies.successor({ policy: slow, policyRank: 0 })).not.toBeNull();
  await agree(() => ({ policies: { version: 9, edition: 1, text: '{"house": 5}' }, shadows: [] }));
  expect([policies.rank, policies.successor({ policy: slow, policyRank: 0 })]).toEqual([0, null]);
  expect(policies.current.get('house')?.sleepAfter).toBe(60_000);
});

it('policies in force that cannot be read change no session, nor do its own', async () => {
  const { policies, failed, agree } = sharedPolicies({ house: QUICK }, 1);
  await agree(() => ({ policies: { version: 9, edition: 1, text: '{"house": {"sleepAfter": "soon"}}' }, shadows: [] }));
  expect(policies.successor({ policy: new PolicySet({ house: SLOW }).get('house')!, policyRank: 0 })).toBeNull();
  expect(failed).toHaveLength(1);
});

it('announces its policies each time, and replaces others of the version once: until the first answer', async () => {
  const { announcements, agree } = sharedPolicies({ house: QUICK }, 3);
  await settlePromises();
  await agree(() => {
    throw new Error('no Redis');
  });
  await agree(held(3, QUICK));
  const announced = { version: 3, text: JSON.stringify({ house: QUICK }) };
  expect(announcements[0]).toEqual([announced, true]);
  expect(announcements.at(-1)).toEqual([announced, false]);
});

it('a process without POLICIES and POLICIES_VERSION announces none', async () => {
  const { announcements } = sharedPolicies({});
  await settlePromises();
  expect(announcements).toEqual([[null, true]]);
  const emptied = sharedPolicies({}, 4);
  await settlePromises();
  expect(emptied.announcements).toEqual([[{ version: 4, text: '{}' }, true]]);
});

it('policies in force that cannot be read are reported once, and the next version is followed', async () => {
  const { policies, failed, agree } = sharedPolicies({ house: QUICK }, 1);
  await agree(() => ({ policies: { version: 9, edition: 1, text: '{"house": {"sleepAfter": "soon"}}' }, shadows: [] }));
  await agree(() => ({ policies: { version: 9, edition: 1, text: '{"house": {"sleepAfter": "soon"}}' }, shadows: [] }));
  expect(policies.current.get('house')?.sleepAfter).toBe(60_000);
  expect(failed).toHaveLength(1);
  await agree(held(10, SLOW));
  expect(policies.current.get('house')?.sleepAfter).toBe(7_200_000);
});

it('the default policy of this process stays offered where the others do not have it', async () => {
  const { policies, agree } = sharedPolicies({ mine: QUICK }, 0, 'mine');
  await agree(held(2, SLOW));
  expect(policies.default).toMatchObject({ name: 'mine', sleepAfter: 60_000 });
  await agree(() => ({ policies: { version: 3, edition: 1, text: JSON.stringify({ mine: SLOW }) }, shadows: [] }));
  expect(policies.default).toMatchObject({ name: 'mine', sleepAfter: 7_200_000 });
});

it('a preset that a higher version does not define has its own values, though this process defined others', async () => {
  const { policies, agree } = sharedPolicies({ balanced: QUICK }, 1);
  await agree(() => ({ policies: { version: 2, edition: 1, text: '{}' }, shadows: [] }));
  expect(policies.default).toMatchObject({ name: 'balanced', sleepAfter: 900_000 });
});

it('tries again soon until the first answer, and reports once that there is none', async () => {
  const silent = () => {
    throw new Error('not ready');
  };
  const { announcements, failed, agree } = sharedPolicies({ house: QUICK }, 0, undefined, silent);
  await settlePromises();
  expect(failed).toEqual([]);
  await agree(silent);
  expect(announcements.length).toBeGreaterThan(10);
  expect(failed).toHaveLength(1);
});

it('the shadow policies are the announced names that exist', async () => {
  const { policies, agree } = sharedPolicies({ house: QUICK });
  await agree(held(0, QUICK, ['house', 'balanced', 'unknown']));
  expect(policies.shadows.map(({ name }) => name)).toEqual(['house', 'balanced']);
});

describe('before new policies are used', () => {
  /** Policies whose `beforeUse` ends as the test says, and what it was called with. */
  function prepared() {
    const calls: NextPolicies[] = [];
    let end: (error?: Error) => void = () => {};
    const shared = sharedPolicies({ house: SLOW }, 1, undefined, nothing, (next) => {
      calls.push(next);
      return new Promise((resolve, reject) => {
        end = (error) => (error ? reject(error) : resolve());
      });
    });
    const finish = async (error?: Error) => {
      end(error);
      await settlePromises();
    };
    const slow = new PolicySet({ house: SLOW }).get('house')!;
    return { ...shared, calls, finish, isUsed: () => shared.policies.successor({ policy: slow, policyRank: 0 }) !== null };
  }

  it('they are announced to this process, which waits for its answer', async () => {
    const { policies, calls, finish, isUsed, changed, agree } = prepared();
    await agree(held(2, QUICK));
    const slow = new PolicySet({ house: SLOW }).get('house')!;
    expect(calls).toMatchObject([{ version: 2, rank: 2_000_001 }]);
    expect(calls[0]!.successor({ policy: slow, policyRank: 0 })).toMatchObject({ sleepAfter: 60_000 });
    expect(calls[0]!.successor({ policy: slow, policyRank: 2_000_001 })).toBeNull();
    expect([policies.rank, isUsed(), changed]).toEqual([0, false, []]);
    await finish();
    expect([policies.rank, isUsed(), changed]).toEqual([2_000_001, true, [2]]);
    await agree(held(2, QUICK));
    expect(calls).toHaveLength(1);
  });

  it('its own are announced to it as well', async () => {
    const { calls, finish, agree } = prepared();
    await agree(held(1, SLOW));
    await finish();
    expect(calls).toMatchObject([{ version: 1 }]);
  });

  it('it waits for 5 s at most', async () => {
    const { isUsed, agree } = prepared();
    await agree(held(2, QUICK));
    for (let s = 1; s < 5; s++) await agree(held(2, QUICK));
    expect(isUsed()).toBe(false);
    await agree(held(2, QUICK));
    expect(isUsed()).toBe(true);
  });

  it('a failure is reported, and they are used', async () => {
    const { isUsed, failed, finish, agree } = prepared();
    await agree(held(2, QUICK));
    await finish(new Error('Redis is away'));
    expect(failed).toMatchObject([{ message: 'Redis is away' }]);
    expect(isUsed()).toBe(true);
  });
});

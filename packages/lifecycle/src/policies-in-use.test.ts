import { type Agreed, type PoliciesInForce, PolicyBook, type ToldPolicies } from '@sandman/core';
import { expect, it } from 'vitest';
import { settled, VirtualTime } from './lifecycle.fixture.ts';
import { PoliciesInUse } from './policies-in-use.ts';

/** Returns the policies of one process; the test says what the others have agreed on. */
function inUse(
  further: Record<string, unknown>,
  version = 0,
  defaultName?: string,
  answer: () => Agreed = () => ({ policies: null, shadows: [] }),
) {
  const time = new VirtualTime();
  const said: [ToldPolicies | null, boolean][] = [];
  const heard: (PoliciesInForce | null)[] = [];
  const failed: unknown[] = [];
  const changed: number[] = [];
  const overruled: number[] = [];
  const policies = new PoliciesInUse({
    own: new PolicyBook(further, defaultName),
    says: true,
    version,
    shadows: [],
    agreement: {
      async agree(told, claim, last) {
        said.push([told, claim]);
        heard.push(last);
        return answer();
      },
    },
    surroundings: time,
    changed: (to) => changed.push(to),
    overruled: (by) => overruled.push(by),
    failed: (error) => failed.push(error),
  });
  const agree = async (next: () => Agreed) => {
    answer = next;
    await time.pass(1_000);
    await settled();
  };
  return { policies, said, heard, failed, changed, overruled, agree };
}

const held =
  (version: number, house: unknown, shadows: string[] = []) =>
  () => ({ policies: { version, edition: 1, text: JSON.stringify({ house }) }, shadows });
const nothing = () => ({ policies: null, shadows: [] });
const QUICK = { sleepAfter: '1m', deleteAfter: '1h' };
const SLOW = { sleepAfter: '2h', deleteAfter: '1d' };

it('follows what is in force, and goes on with it when nothing is heard any more', async () => {
  const { policies, changed, overruled, heard, agree } = inUse({ house: QUICK }, 1);
  const house = () => policies.book.get('house')?.sleepAfter;
  expect(house()).toBe(60_000);
  await agree(held(1, QUICK));
  expect([changed, overruled]).toEqual([[], []]);
  const before = policies.book.get('house')!;
  expect(policies.successor({ policy: before, policyRank: 0 })).toBeNull();
  await agree(held(2, SLOW));
  expect([house(), changed, overruled]).toEqual([7_200_000, [2], [2]]);
  expect(policies.successor({ policy: before, policyRank: 0 })).toEqual(policies.book.get('house'));
  // Redis was emptied: the policies last received are announced again, and stay in use.
  await agree(nothing);
  await agree(nothing);
  expect(heard.at(-1)).toEqual({ version: 2, edition: 1, text: JSON.stringify({ house: SLOW }) });
  expect([house(), changed, overruled]).toEqual([7_200_000, [2], [2]]);
});

it('changes no session before it has heard what is in force', async () => {
  const { policies, agree } = inUse({ house: QUICK }, 1);
  const former = new PolicyBook({ house: SLOW }).get('house')!;
  await settled();
  expect(policies.successor({ policy: former, policyRank: 0 })).toBeNull();
  await agree(held(1, QUICK));
  expect(policies.successor({ policy: former, policyRank: 0 })).toEqual(policies.book.get('house'));
});

it('changes no session that another process gave newer policies, of which it has not heard yet', async () => {
  const { policies, agree } = inUse({ house: QUICK }, 1);
  await agree(held(1, QUICK));
  const slow = new PolicyBook({ house: SLOW }).get('house')!;
  expect(policies.rank).toBe(1_000_001);
  expect(policies.successor({ policy: slow, policyRank: 2_000_001 })).toBeNull();
  expect(policies.successor({ policy: slow, policyRank: 1_000_000 })).toEqual(policies.book.get('house'));
});

it('changes no session to a preset, which POLICIES may have defined otherwise before', async () => {
  const { policies, agree } = inUse({});
  const balanced = new PolicyBook({ balanced: SLOW }).get('balanced')!;
  await agree(nothing);
  expect(policies.successor({ policy: balanced, policyRank: 0 })).toBeNull();
  await agree(held(2, QUICK));
  expect(policies.successor({ policy: balanced, policyRank: 0 })).toBeNull();
});

it('policies in force that cannot be read change no session, nor do those that were in force before', async () => {
  const { policies, agree } = inUse({ house: QUICK }, 1);
  await agree(held(1, QUICK));
  const slow = new PolicyBook({ house: SLOW }).get('house')!;
  expect(policies.successor({ policy: slow, policyRank: 0 })).not.toBeNull();
  await agree(() => ({ policies: { version: 9, edition: 1, text: '{"house": 5}' }, shadows: [] }));
  expect([policies.rank, policies.successor({ policy: slow, policyRank: 0 })]).toEqual([0, null]);
  expect(policies.book.get('house')?.sleepAfter).toBe(60_000);
});

it('policies in force that cannot be read change no session, nor do its own', async () => {
  const { policies, failed, agree } = inUse({ house: QUICK }, 1);
  await agree(() => ({ policies: { version: 9, edition: 1, text: '{"house": {"sleepAfter": "soon"}}' }, shadows: [] }));
  expect(policies.successor({ policy: new PolicyBook({ house: SLOW }).get('house')!, policyRank: 0 })).toBeNull();
  expect(failed).toHaveLength(1);
});

it('says what it was told, and prevails by it once: when it starts, and not before it was heard', async () => {
  const { said, agree } = inUse({ house: QUICK }, 3);
  await settled();
  await agree(() => {
    throw new Error('no Redis');
  });
  await agree(held(3, QUICK));
  const told = { version: 3, text: JSON.stringify({ house: QUICK }) };
  expect(said[0]).toEqual([told, true]);
  expect(said.at(-1)).toEqual([told, false]);
});

it('whoever was told nothing says nothing', async () => {
  const { said } = inUse({});
  await settled();
  expect(said).toEqual([[null, true]]);
  const emptied = inUse({}, 4);
  await settled();
  expect(emptied.said).toEqual([[{ version: 4, text: '{}' }, true]]);
});

it('what cannot be read changes nothing, is told once, and the next version is followed', async () => {
  const { policies, failed, agree } = inUse({ house: QUICK }, 1);
  await agree(() => ({ policies: { version: 9, edition: 1, text: '{"house": {"sleepAfter": "soon"}}' }, shadows: [] }));
  await agree(() => ({ policies: { version: 9, edition: 1, text: '{"house": {"sleepAfter": "soon"}}' }, shadows: [] }));
  expect(policies.book.get('house')?.sleepAfter).toBe(60_000);
  expect(failed).toHaveLength(1);
  await agree(held(10, SLOW));
  expect(policies.book.get('house')?.sleepAfter).toBe(7_200_000);
});

it('its default stays offered, as it is known here, where others do not know it', async () => {
  const { policies, agree } = inUse({ mine: QUICK }, 0, 'mine');
  await agree(held(2, SLOW));
  expect(policies.default).toMatchObject({ name: 'mine', sleepAfter: 60_000 });
  await agree(() => ({ policies: { version: 3, edition: 1, text: JSON.stringify({ mine: SLOW }) }, shadows: [] }));
  expect(policies.default).toMatchObject({ name: 'mine', sleepAfter: 7_200_000 });
});

it('a preset that a higher version leaves alone is as it comes, though the default was another here', async () => {
  const { policies, agree } = inUse({ balanced: QUICK }, 1);
  await agree(() => ({ policies: { version: 2, edition: 1, text: '{}' }, shadows: [] }));
  expect(policies.default).toMatchObject({ name: 'balanced', sleepAfter: 900_000 });
});

it('tries again soon until it is heard for the first time, and says once that it is not', async () => {
  const silent = () => {
    throw new Error('not ready');
  };
  const { said, failed, agree } = inUse({ house: QUICK }, 0, undefined, silent);
  await settled();
  expect(failed).toEqual([]);
  await agree(silent);
  expect(said.length).toBeGreaterThan(10);
  expect(failed).toHaveLength(1);
});

it('the shadows are those that somebody named, where they are offered', async () => {
  const { policies, agree } = inUse({ house: QUICK });
  await agree(held(0, QUICK, ['house', 'balanced', 'unknown']));
  expect(policies.shadows.map(({ name }) => name)).toEqual(['house', 'balanced']);
});

import { type AlarmClock, type Commit, PolicySet, type SessionRecord } from '@sandman/core';
import { beforeEach, expect, it } from 'vitest';
import { Arming } from './arming.ts';
import { LatestReading } from './latest-reading.ts';
import { session, stub, stubStore, T0, VirtualTime } from './lifecycle.fixture.ts';
import { PolicyUpgrade } from './policy-upgrade.ts';

const NEWER = { ...new PolicySet().resolve('balanced'), sleepAfter: 60_000 };
const policies = { rank: 7, successor: ({ policyRank }: Pick<SessionRecord, 'policyRank'>) => (policyRank < 7 ? NEWER : null) };

let commits: Commit[];
let armed: string[];

beforeEach(() => {
  commits = [];
  armed = [];
});

/** Upgrades a session that was read at T0, and returns its latest record and whether there was anything to change. */
async function upgrade(isDryRun: boolean, change: Partial<SessionRecord> = {}) {
  const read = session(change);
  const store = stubStore({
    read: async () => ({ record: read, now: T0 }),
    async commit(_, base, commit) {
      commits.push(commit);
      return { kind: 'committed', record: { ...base!, ...commit.patch, n: 43 }, now: T0 };
    },
    unmark: async () => true,
  });
  const arm = async (_: string, n: number) => void armed.push(`arm ${n}`);
  const disarm = async (_: string, n: number, names: readonly string[]) => void armed.push(`disarm ${n} ${names}`);
  const latest = new LatestReading('a', { store, system: new VirtualTime() });
  await latest.read();
  const changes = new PolicyUpgrade({ policies, arming: new Arming(store, stub<AlarmClock>({ arm, disarm })), isDryRun });
  return { isChanged: await changes.apply(latest, read, 'sleep'), record: latest.record };
}

it('writes the policy in force, and arms the new alarms but leaves the one that rings', async () => {
  expect(await upgrade(false)).toMatchObject({ isChanged: true, record: { policy: NEWER, policyRank: 7, policyAt: T0 } });
  expect(commits).toEqual([{ patch: { policy: NEWER, policyRank: 7, policyAt: T0, noticeUntil: 0 }, alarms: true }]);
  expect(armed).toEqual(['arm 43', 'disarm 42 delete']);
});

it('in a dry run writes nothing; the record looks changed', async () => {
  expect(await upgrade(true, { policyAt: 5 })).toMatchObject({ isChanged: true, record: { policy: NEWER, policyRank: 7, policyAt: T0 } });
  expect([commits, armed]).toEqual([[], []]);
});

it.each([
  ['has the policy in force', { policyRank: 7 }],
  ['is being deleted', { wanted: 'gone' }],
] as const)('does nothing where the session %s', async (_, change) => {
  expect(await upgrade(false, change)).toMatchObject({ isChanged: false, record: { n: 42 } });
  expect(commits).toEqual([]);
});

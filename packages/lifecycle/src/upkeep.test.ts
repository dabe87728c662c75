import type { AlarmClock, Reading } from '@sandman/core';
import { beforeEach, expect, it } from 'vitest';
import { Arming } from './arming.ts';
import { ManualRounds, session, settlePromises, stub, stubStore, T0, VirtualTime } from './lifecycle.fixture.ts';
import { startUpkeep } from './upkeep.ts';

let time: VirtualTime;
let marks: string[];
let armed: string[];
let tombstoneRounds: number;
let repaired: number[];
let failures: unknown[];

/** Methods of the store, which each test replaces. */
let marked: (age: number) => Promise<string[]>;
let read: (uuid: string) => Promise<Reading>;

beforeEach(() => {
  time = new VirtualTime();
  marks = [];
  armed = [];
  tombstoneRounds = 0;
  repaired = [];
  failures = [];
  marked = async () => [...marks];
  read = async (uuid) => ({ record: session({ uuid }), now: T0 });
});

function start(): () => Promise<void> {
  const store = stubStore({
    marked: (age) => marked(age),
    read: (uuid) => read(uuid),
    async unmark(uuid) {
      marks = marks.filter((mark) => mark !== uuid);
      return true;
    },
    async removeTombstones() {
      tombstoneRounds++;
      return 0;
    },
  });
  const clock = stub<AlarmClock>({
    async arm(uuid, n, alarms) {
      armed.push(`${uuid} ${n}: ${alarms.map(({ name }) => name)}`);
    },
  });
  return startUpkeep({
    store,
    arming: new Arming(store, clock),
    system: time,
    repaired: (count) => repaired.push(count),
    failed: (error) => failures.push(error),
  });
}

it('each second it arms what a crash has left for 2 s, takes the marks away and says how many there were', async () => {
  const ages: number[] = [];
  marked = async (age) => {
    ages.push(age);
    return [...marks];
  };
  const stop = start();
  await settlePromises();
  marks = ['a', 'b'];
  await time.pass(2_000);
  expect(armed).toEqual(['a 42: sleep,delete', 'b 42: sleep,delete']);
  expect(marks).toEqual([]);
  expect(repaired).toEqual([2]);
  expect(ages).toEqual([2_000, 2_000, 2_000]);
  await stop();
});

it('the mark of a session that no longer exists is removed', async () => {
  marks = ['a'];
  read = async () => ({ record: null, now: T0 });
  const stop = start();
  await settlePromises();
  expect([armed, marks]).toEqual([[], []]);
  await stop();
});

it('a session that cannot be armed keeps its mark for the next round, and does not stop the others', async () => {
  marks = ['a', 'b'];
  const well = read;
  read = async () => {
    read = well;
    throw new Error('a lost reply');
  };
  const stop = start();
  await settlePromises();
  expect(armed).toEqual(['b 42: sleep,delete']);
  expect(failures).toEqual([new Error('a lost reply')]);
  await time.pass(1_000);
  expect(armed).toEqual(['b 42: sleep,delete', 'a 42: sleep,delete']);
  expect(marks).toEqual([]);
  await stop();
});

it('a round that fails is reported, and the next one comes all the same; tombstones are removed each minute', async () => {
  const well = marked;
  marked = async () => {
    marked = well;
    throw new Error('Redis is away');
  };
  marks = ['a'];
  const stop = start();
  await settlePromises();
  expect([failures, armed, tombstoneRounds]).toEqual([[new Error('Redis is away')], [], 1]);
  await time.pass(60_000);
  expect([armed, repaired, tombstoneRounds]).toEqual([['a 42: sleep,delete'], [1], 2]);
  await stop();
});

it('the end of the upkeep waits for the round that runs, and no other begins', async () => {
  const rounds = new ManualRounds();
  marked = async () => {
    await rounds.begin();
    return [];
  };
  const stop = start();
  await time.pass(5_000);
  expect(rounds.started).toBe(1);
  let stopped = false;
  const stopping = stop().then(() => {
    stopped = true;
  });
  await settlePromises();
  expect(stopped).toBe(false);
  await rounds.end();
  await stopping;
  await time.pass(60_000);
  expect([rounds.started, tombstoneRounds]).toEqual([1, 1]);
});

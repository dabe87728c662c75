import type { AlarmClock, Reading } from '@sandman/core';
import { beforeEach, expect, it } from 'vitest';
import { Arming } from './arming.ts';
import { only, Rounds, session, settled, storeThat, T0, VirtualTime } from './lifecycle.fixture.ts';
import { startUpkeep } from './upkeep.ts';

let time: VirtualTime;
let marks: string[];
let armed: string[];
let buried: number;
let repaired: number[];
let failures: unknown[];

/** Methods of the store, which each test replaces. */
let marked: (age: number) => Promise<string[]>;
let read: (uuid: string) => Promise<Reading>;

beforeEach(() => {
  time = new VirtualTime();
  marks = [];
  armed = [];
  buried = 0;
  repaired = [];
  failures = [];
  marked = async () => [...marks];
  read = async (uuid) => ({ record: session({ uuid }), now: T0 });
});

function start(): () => Promise<void> {
  const store = storeThat({
    marked: (age) => marked(age),
    read: (uuid) => read(uuid),
    async unmark(uuid) {
      marks = marks.filter((mark) => mark !== uuid);
      return true;
    },
    async bury() {
      buried++;
      return 0;
    },
  });
  const clock = only<AlarmClock>({
    async arm(uuid, n, alarms) {
      armed.push(`${uuid} ${n}: ${alarms.map(({ name }) => name)}`);
    },
  });
  return startUpkeep({
    store,
    arming: new Arming(store, clock),
    surroundings: time,
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
  await settled();
  marks = ['a', 'b'];
  await time.pass(2_000);
  expect(armed).toEqual(['a 42: sleep,delete', 'b 42: sleep,delete']);
  expect(marks).toEqual([]);
  expect(repaired).toEqual([2]);
  expect(ages).toEqual([2_000, 2_000, 2_000]);
  await stop();
});

it('the mark of a session that is no more just goes', async () => {
  marks = ['a'];
  read = async () => ({ record: null, now: T0 });
  const stop = start();
  await settled();
  expect([armed, marks]).toEqual([[], []]);
  await stop();
});

it('a session that cannot be armed keeps its mark for the next round, and stands in nobody’s way', async () => {
  marks = ['a', 'b'];
  const well = read;
  read = async () => {
    read = well;
    throw new Error('a lost reply');
  };
  const stop = start();
  await settled();
  expect(armed).toEqual(['b 42: sleep,delete']);
  expect(failures).toEqual([new Error('a lost reply')]);
  await time.pass(1_000);
  expect(armed).toEqual(['b 42: sleep,delete', 'a 42: sleep,delete']);
  expect(marks).toEqual([]);
  await stop();
});

it('a round that fails is reported, and the next one comes all the same; tombstones are buried each minute', async () => {
  const well = marked;
  marked = async () => {
    marked = well;
    throw new Error('Redis is away');
  };
  marks = ['a'];
  const stop = start();
  await settled();
  expect([failures, armed, buried]).toEqual([[new Error('Redis is away')], [], 1]);
  await time.pass(60_000);
  expect([armed, repaired, buried]).toEqual([['a 42: sleep,delete'], [1], 2]);
  await stop();
});

it('its end waits for the round that runs, and none overtakes it', async () => {
  const rounds = new Rounds();
  marked = async () => {
    await rounds.begin();
    return [];
  };
  const stop = start();
  await time.pass(5_000);
  expect(rounds.began).toBe(1);
  let stopped = false;
  const stopping = stop().then(() => {
    stopped = true;
  });
  await settled();
  expect(stopped).toBe(false);
  await rounds.end();
  await stopping;
  await time.pass(60_000);
  expect([rounds.began, buried]).toEqual([1, 1]);
});

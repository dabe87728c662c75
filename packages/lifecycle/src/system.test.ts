import { beforeEach, expect, it } from 'vitest';
import { ManualRounds, settlePromises, VirtualTime } from './lifecycle.fixture.ts';
import { repeat } from './system.ts';

let time: VirtualTime;
let rounds: ManualRounds;
let failures: unknown[];
let stop: () => Promise<void>;

beforeEach(() => {
  time = new VirtualTime();
  rounds = new ManualRounds();
  failures = [];
  stop = repeat(time, 100, rounds.begin, (error) => failures.push(error));
});

it('repeat begins at once, then every so many ms', async () => {
  expect(rounds.started).toBe(1);
  await rounds.end();
  await time.pass(99);
  expect(rounds.started).toBe(1);
  await time.pass(1);
  expect(rounds.started).toBe(2);
  await rounds.end();
  await time.pass(100);
  expect(rounds.started).toBe(3);
});

it('a slow round is not overtaken, and the next one comes at the next time', async () => {
  await time.pass(350);
  expect(rounds.started).toBe(1);
  await rounds.end();
  expect(rounds.started).toBe(1);
  await time.pass(50);
  expect(rounds.started).toBe(2);
  expect(rounds.mostAtOnce).toBe(1);
});

it('what a round throws is reported, and the next one follows', async () => {
  const error = new Error('Redis is away');
  await rounds.end(error);
  expect(failures).toEqual([error]);
  await time.pass(100);
  expect(rounds.started).toBe(2);
});

it('its end waits for the round that runs, and no other follows', async () => {
  let stopped = false;
  const stopping = stop().then(() => {
    stopped = true;
  });
  await settlePromises();
  expect(stopped).toBe(false);
  await rounds.end();
  await stopping;
  await time.pass(1_000);
  expect(rounds.started).toBe(1);
  await stop();
});

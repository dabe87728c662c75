import { expect, it } from 'vitest';
import { FanOut, type Lane } from './fan-out.ts';
import { settlePromises } from './lifecycle.fixture.ts';

/** Returns parts that a test ends one by one, in the order in which they began. */
function parts() {
  const began: string[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const add = (lane: Lane, name: string, weight = 1) =>
    lane.run(weight, () => {
      began.push(name);
      return new Promise<string>((resolve, reject) => {
        ends.push((error) => (error ? reject(error) : resolve(name)));
      });
    });
  const end = async (error?: Error) => {
    ends.shift()!(error);
    await settlePromises();
  };
  return { began, add, end };
}

it('runs no more parts at once than it may, of one call and of all, each call in its turn', async () => {
  const fanOut = new FanOut(4, 3);
  const { began, add, end } = parts();
  const [large, other, small] = [fanOut.lane(), fanOut.lane(), fanOut.lane()];
  const all = [
    ...['a1', 'a2', 'a3', 'a4', 'a5'].map((name) => add(large, name)),
    ...['b1', 'b2', 'b3'].map((name) => add(other, name)),
    add(small, 'c1'),
  ];
  expect(began).toEqual(['a1', 'a2', 'a3', 'b1']);
  for (const next of ['a4', 'b2', 'c1', 'a5', 'b3']) {
    await end();
    expect(began.at(-1)).toBe(next);
  }
  for (let i = 0; i < 4; i++) await end();
  expect(await Promise.all(all)).toEqual(['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'b2', 'b3', 'c1']);
});

it('a heavy part waits until it fits, and lighter ones that came later do not overtake it', async () => {
  const fanOut = new FanOut(4, 4);
  const { began, add, end } = parts();
  const lanes = [fanOut.lane(), fanOut.lane(), fanOut.lane()];
  void add(lanes[0]!, 'light 1');
  void add(lanes[0]!, 'light 2');
  void add(lanes[1]!, 'heavy', 3);
  void add(lanes[2]!, 'late');
  expect(began).toEqual(['light 1', 'light 2']);
  await end();
  expect(began.slice(2)).toEqual(['heavy']);
  await end();
  expect(began.slice(3)).toEqual(['late']);
  // A part that is heavier than the limit runs alone.
  void add(lanes[0]!, 'huge', 9);
  await end();
  expect(began).not.toContain('huge');
  await end();
  expect(began).toContain('huge');
});

it('a part that fails gives its place to the next one', async () => {
  const fanOut = new FanOut(2, 1);
  const { began, add, end } = parts();
  const [broken, whole] = [fanOut.lane(), fanOut.lane()];
  const outcomes = Promise.allSettled([add(broken, 'a1'), add(broken, 'a2'), add(whole, 'b1'), add(whole, 'b2')]);
  await end(new Error('Redis is away'));
  for (let i = 0; i < 3; i++) await end();
  expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
  expect(began).toEqual(['a1', 'b1', 'a2', 'b2']);
});

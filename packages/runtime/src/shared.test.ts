import { expect, it, vi } from 'vitest';
import { shared } from './shared.ts';

/** A reading that ends when the test ends it. */
function reading() {
  const begun: PromiseWithResolvers<number>[] = [];
  const read = () => {
    const one = Promise.withResolvers<number>();
    begun.push(one);
    return one.promise;
  };
  return { begun, read };
}

it('reads once for all who ask while it is under way, however long that takes', async () => {
  const { begun, read } = reading();
  const ask = shared(0, read);
  const first = ask();
  await new Promise((resolve) => setTimeout(resolve, 5));
  const second = ask();
  begun[0]!.resolve(7);
  expect(await Promise.all([first, second])).toEqual([7, 7]);
  expect(begun).toHaveLength(1);
});

it('starts another reading where one has not ended for 10 s', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const { begun, read } = reading();
    const ask = shared(1_000, read);
    void ask();
    vi.advanceTimersByTime(9_000);
    void ask();
    expect(begun).toHaveLength(1);
    vi.advanceTimersByTime(2_000);
    const asked = ask();
    begun[1]!.resolve(2);
    expect(await asked).toBe(2);
    // The first reading ends late; its value is old.
    begun[0]!.resolve(1);
    expect(await ask()).toBe(2);
  } finally {
    vi.useRealTimers();
  }
});

it('answers the same value until its time is over, and then reads again', async () => {
  const { begun, read } = reading();
  const long = shared(60_000, read);
  const [first, again] = [long(), long()];
  begun[0]!.resolve(1);
  expect(await first).toBe(1);
  expect(await again).toBe(1);
  expect(await long()).toBe(1);
  const short = shared(0, read);
  for (const value of [2, 3]) {
    const asked = short();
    begun.at(-1)!.resolve(value);
    expect(await asked).toBe(value);
  }
  expect(begun).toHaveLength(3);
});

it('throws an error to those who wait, and keeps none', async () => {
  const { begun, read } = reading();
  const ask = shared(60_000, read);
  const waiting = [ask(), ask()];
  begun[0]!.reject(new Error('away'));
  for (const one of waiting) await expect(one).rejects.toThrow('away');
  const next = ask();
  begun[1]!.resolve(1);
  expect(await next).toBe(1);
});

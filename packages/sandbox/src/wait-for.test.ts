import { expect, it } from 'vitest';
import { waitFor } from './wait-for.ts';

it('answers with what the condition answered, zero and empty text included', async () => {
  const answers = [false, null, undefined, 0];
  expect(await waitFor('a number', () => answers.shift())).toBe(0);
  expect(await waitFor('a text', async () => '')).toBe('');
});

it('names what did not come', async () => {
  await expect(waitFor('the moon', () => false, 30)).rejects.toThrow('not within 30 ms: the moon');
});

it('passes on what the condition throws', async () => {
  await expect(waitFor('it', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
});

it('does not count a time in which this process stood still', async () => {
  let looks = 0;
  const late = () => {
    looks += 1;
    if (looks === 1) setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_500));
    return looks === 3;
  };
  expect(await waitFor('the third look', late, 1_000)).toBe(true);
}, 20_000);

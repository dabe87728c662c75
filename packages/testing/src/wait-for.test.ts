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

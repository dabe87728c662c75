import { InvalidInput } from '@sandman/core';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Admission } from './admission.ts';

const AWAY = new Error('Redis is away');

/** Starts an admission whose check is `check`. */
function admit(check: () => Promise<void>) {
  const [fail, unknown] = [vi.fn(), vi.fn()];
  const admission = new Admission({ check, fail, unknown });
  onTestFinished(() => admission.close());
  return { admission, fail, unknown };
}

test('a connection that opens a moment later costs no warning and little time', async () => {
  const check = vi
    .fn(async () => {})
    .mockRejectedValueOnce(AWAY)
    .mockRejectedValueOnce(AWAY);
  const { admission, fail, unknown } = admit(check);
  expect(() => admission.assertGiven()).toThrow('not known yet');
  await admission.given;
  expect(admission.isGiven).toBe(true);
  expect(check).toHaveBeenCalledTimes(3);
  expect(unknown).not.toHaveBeenCalled();
  expect(fail).not.toHaveBeenCalled();
});

test('a Redis that is away for longer than a second is told once, and the process starts without it', async () => {
  let isAway = true;
  const { admission, unknown } = admit(async () => {
    if (isAway) throw AWAY;
  });
  await admission.soon();
  expect(admission.isGiven).toBe(false);
  await vi.waitFor(() => expect(unknown).toHaveBeenCalled());
  const { resolve, promise } = Promise.withResolvers<void>();
  setTimeout(resolve, 600);
  await promise;
  isAway = false;
  await admission.given;
  expect(unknown.mock.calls).toEqual([[AWAY]]);
});

test('settings that do not fit the data end the process', async () => {
  const wrong = new InvalidInput('SHARDS', 'is 2 and must be 4');
  const { admission, fail, unknown } = admit(async () => {
    throw wrong;
  });
  await admission.soon();
  expect(fail).toHaveBeenCalledWith(wrong);
  expect(unknown).not.toHaveBeenCalled();
  expect(admission.isGiven).toBe(false);
});

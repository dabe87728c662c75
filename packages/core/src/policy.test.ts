import { expect, it } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';
import { describePolicy, PolicySet, parsePolicy } from './policy.ts';

it('offers the four presets, balanced by default', () => {
  const book = new PolicySet();
  expect(book.list().map(describePolicy)).toEqual([
    { name: 'aggressive', sleepAfter: '5m', deleteAfter: '1h', backgroundCap: '4h' },
    { name: 'balanced', sleepAfter: '15m', deleteAfter: '24h', backgroundCap: '4h' },
    { name: 'conservative', sleepAfter: '30m', deleteAfter: '7d', backgroundCap: '4h' },
    { name: 'simple', sleepAfter: 'never', deleteAfter: '30m', backgroundCap: '4h' },
  ]);
  expect(book.default.name).toBe('balanced');
});

it.each([
  ['500ms', 500],
  ['90s', 90_000],
  ['15m', 900_000],
  ['24h', 86_400_000],
  ['7d', 604_800_000],
  ['250', 250],
  [250, 250],
  ['365d', 31_536_000_000],
])('reads %s', (text, ms) => expect(parseDuration(text, 'x')).toBe(ms));

it.each(['', '0', '0s', '-5m', '366d', '1.5h', '5 m', 'm', '1e3', '5M', null, {}, true, Number.NaN, -1, 1.5, '99999999999999999d'])(
  'refuses %j',
  (bad) => expect(() => parseDuration(bad, 'sleepAfter')).toThrow(/^sleepAfter must be a duration/),
);

it('writes what it reads', () => {
  for (const text of ['1ms', '90s', '15m', '36h', '7d']) expect(formatDuration(parseDuration(text, 'x'))).toBe(text);
});

it.each([
  [{ sleepAfter: '5m' }, 'policy.deleteAfter'],
  [{ sleepAfter: '-5m', deleteAfter: '1h' }, 'policy.sleepAfter'],
  [{ sleepAfter: '5m', deleteAfter: '1h', backgroundCap: 'never' }, 'policy.backgroundCap'],
  [{ sleepAfter: '5m', deleteAfter: '1h', sleepafter: '1m' }, 'policy.sleepafter'],
  [[], 'policy'],
  [null, 'policy'],
])('refuses the policy %j, naming %s', (bad, field) => {
  expect(() => parsePolicy('custom', bad, 'policy')).toThrowError(expect.objectContaining({ code: 'invalid-request', field }));
});

it('takes further policies and changed presets, and names what is wrong with them', () => {
  const book = new PolicySet(
    { balanced: { sleepAfter: '1m', deleteAfter: 'never' }, night: { sleepAfter: '8h', deleteAfter: '2d' } },
    'night',
  );
  expect(book.default.name).toBe('night');
  expect(book.resolve('balanced').sleepAfter).toBe(60_000);
  expect(book.resolve({ sleepAfter: '1s', deleteAfter: '1s' }).name).toBe('custom');
  expect(() => book.resolve('nope')).toThrow(/^policy must be one of/);
  expect(() => new PolicySet({}, 'nope')).toThrow(/^DEFAULT_POLICY must be one of/);
  expect(() => new PolicySet({ custom: {} })).toThrow(/^POLICIES/);
  expect(() => new PolicySet({ a: { sleepAfter: 'x' } })).toThrow(/^POLICIES.a.sleepAfter/);
});

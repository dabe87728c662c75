import { expect, it } from 'vitest';
import { bench, SMOKE_MS, smoke } from './bench.fixture.ts';

it(
  'a small benchmark of memory runs, and what it writes can be read',
  () => {
    const figures = smoke('memory');
    for (const [group, some] of Map.groupBy(figures, (one) => one.group)) {
      const parts = some.filter(({ what }) => what.startsWith('of that: '));
      expect(parts, group).toHaveLength(6);
      const whole = some.find(({ what }) => what === 'a session, all told')?.median ?? 0;
      expect(
        parts.reduce((sum, { median }) => sum + median, 0),
        group,
      ).toBeLessThan(whole);
    }
  },
  SMOKE_MS,
);

it.each([
  [['nonsense'], 'nonsense is none of memory, pings, batches'],
  [['--rounds', '0'], '--rounds must be a whole number from 1 to 100'],
  [['--loud'], "Unknown option '--loud'"],
])('%j is refused in one line', (args, said) => {
  const { status, stdout, stderr } = bench(...args);
  expect(stderr).toContain(said);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
});

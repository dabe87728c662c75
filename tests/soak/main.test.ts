import { expect, it } from 'vitest';
import { soak } from './soak.fixture.ts';

it('--help says what it does', async () => {
  expect(await soak('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('npm run soak'), stderr: '' });
});

it.each([
  [['--minutes', '0.4'], '--minutes must be a number from 0.5 to 1440'],
  [['--minutes', '1441'], '--minutes must be'],
  [['--minutes', '-1'], '--minutes'],
  [['--minutes', 'soon'], '--minutes must be'],
  [['--minutes', ''], '--minutes must be'],
  [['--minutes', 'NaN'], '--minutes must be'],
  [['--minutes'], '--minutes'],
  [['--sessions', '0'], '--sessions must be a whole number from 1 to 20000'],
  [['--sessions', '1.5'], '--sessions must be'],
  [['--sessions', '20001'], '--sessions must be'],
  [['--what'], '--what'],
  [['stray'], 'stray'],
])('%j is refused in one line, with exit code 2', async (args, what) => {
  const { code, stdout, stderr } = await soak(...args);
  expect(stdout).toBe('');
  expect(stderr).toContain(what);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(code).toBe(2);
});

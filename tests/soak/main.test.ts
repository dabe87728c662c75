import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { alive, soak, underWay } from './soak.fixture.ts';

it.skipIf(process.platform !== 'linux')(
  'when one of its processes dies, that is told, and all others end',
  async () => {
    const { started, exited, stderr } = await underWay();
    const worker = started.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('apps/worker/'));
    process.kill(worker!, 'SIGKILL');
    expect(await exited).toEqual([1, null]);
    expect(stderr()).toMatch(/worker \d does not answer/);
    expect(started.filter(alive)).toEqual([]);
  },
  60_000,
);

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

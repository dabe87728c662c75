import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { simulate } from './run.fixture.ts';

/** Preloaded into a soak: its clock runs ten times as fast, so that the shortest soak, 6 s, takes less than a second. */
const FAST_CLOCK = 'data:text/javascript,const now = performance.now.bind(performance); performance.now = () => 10 * now();';

// Concurrent, because each test starts a process of its own.
describe.concurrent('npm run simulate', () => {
  it('a soak runs for its time and says what it did', async () => {
    const main = fileURLToPath(new URL('./main.ts', import.meta.url));
    // Rejects on any exit code but 0.
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', FAST_CLOCK, main, '--minutes', '0.1', '--from', '1']);
    expect(stdout).toMatch(/^from seed \d+$/m);
    expect(stdout).toMatch(/^\d+ histories, .* calls, /m);
    expect(stdout).toMatch(/^every promise was kept$/m);
  });

  it('a history of a mutant that breaks a promise is printed, and replays', async () => {
    const { code, stdout } = await simulate('--mutant', 'alarm-numbers-repeat', '--histories', '200');
    expect(code).toBe(1);
    const [, seed = ''] = /--seed (\d+) --mutant alarm-numbers-repeat$/m.exec(stdout) ?? [];
    const broken = /^broken: .*$/m.exec(stdout)?.[0];
    const replay = await simulate('--seed', seed, '--mutant', 'alarm-numbers-repeat');
    expect(replay.code).toBe(1);
    expect(replay.stdout).toContain(broken);
    expect(replay.stdout.split('\n').length).toBeGreaterThan(5);
  });

  it('--help and --mutants say what there is', async () => {
    expect((await simulate('--help')).stdout).toContain('npm run simulate:soak');
    expect((await simulate('--mutants')).stdout).toContain('sleeps-in-doubt');
  });

  it.each([
    [['--minutes', '0'], '--minutes must be'],
    [['--minutes', 'soon'], '--minutes must be'],
    [['--minutes', '1', '--histories', '1'], 'exclude one another'],
    [['--histories', '1.5'], '--histories must be'],
    [['--seed', '-1'], 'seed'],
    [['--seed', ''], '--seed must be'],
    [['--mutant', 'nobody'], '--mutant must be one of'],
    [['--what'], '--what'],
    [['stray'], 'stray'],
  ])('%j is refused in one line, with exit code 2', async (args, what) => {
    const { code, stdout, stderr } = await simulate(...args);
    expect(stdout).toBe('');
    expect(stderr).toContain(what);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(code).toBe(2);
  });
});

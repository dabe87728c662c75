import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runScript, waitFor } from '@sandman/testing';
import { describe, expect, it } from 'vitest';

const MAIN = new URL('./main.ts', import.meta.url);
const soak = (...args: string[]) => runScript(MAIN, ...args);

it('a short soak finds that memory is bounded, and prints how it was', async () => {
  const { code, stdout } = await soak('--minutes', '0.5', '--sessions', '500');
  expect(stdout).toMatch(
    /^\s+\d+ s · \d+ alive · \d+ pings · \d+ × 503 · .* · api 1 \d+ · api 2 \d+ · worker 1 \d+ · worker 2 \d+ · redis \d+ MB$/m,
  );
  const [, pings, sleeps, wakes, deletes] = (/.* (\d+) pings .* (\d+) sleeps · (\d+) wakes · (\d+) deletes/s.exec(stdout) ?? []).map(
    Number,
  );
  // That something went on; how much is the machine's affair.
  expect(pings).toBeGreaterThan(500);
  for (const turns of [sleeps, wakes, deletes]) expect(turns).toBeGreaterThan(10);
  for (const part of ['api 1', 'api 2', 'worker 1', 'worker 2', 'redis']) {
    expect(stdout).toMatch(new RegExp(`^${part} +(-?[\\d.]+ MB +){4}bounded$`, 'm'));
  }
  expect(stdout).toMatch(/^session-manager \(simulated\) is not judged/m);
  expect(stdout).toMatch(/^Memory is bounded\.$/m);
  expect(code).toBe(0);
}, 180_000);

/** The processes that a process started, and those that they did. */
function descendants(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        return [[Number(name), Number(/\) . (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1])] as const];
      } catch {
        return []; // It has gone meanwhile.
      }
    });
  const children = parents.filter(([, parent]) => parent === pid).map(([child]) => child);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A soak that is under way, and the processes that it started. */
async function underWay() {
  const child = spawn(process.execPath, [fileURLToPath(MAIN), '--sessions', '50'], { stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  const exited = once(child, 'exit');
  await waitFor('it is under way', () => / s · \d+ alive/.test(stdout), 30_000);
  const started = descendants(child.pid!);
  expect(started.length).toBeGreaterThanOrEqual(6);
  return { child, started, exited, stdout: () => stdout, stderr: () => stderr };
}

describe.skipIf(process.platform !== 'linux')('every process it started ends', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'at a %s',
    async (signal) => {
      const { child, started, exited, stdout } = await underWay();
      child.kill(signal);
      expect(await exited).toEqual([130, null]);
      expect(stdout()).toMatch(/^interrupted: no verdict$/m);
      expect(started.filter(alive)).toEqual([]);
    },
    60_000,
  );

  it('when one of them dies, which is told', async () => {
    const { started, exited, stderr } = await underWay();
    const worker = started.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('apps/worker/'));
    process.kill(worker!, 'SIGKILL');
    expect(await exited).toEqual([1, null]);
    expect(stderr()).toMatch(/worker \d does not answer/);
    expect(started.filter(alive)).toEqual([]);
  }, 60_000);

  it('when nobody reads on, as with `| head`', async () => {
    const { child, started, exited } = await underWay();
    child.stdout.destroy();
    expect(await exited).toEqual([130, null]);
    expect(started.filter(alive)).toEqual([]);
  }, 60_000);
});

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

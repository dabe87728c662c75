import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { programFile, runScript, waitFor } from '@sandman/sandbox';
import { expect } from 'vitest';

const MAIN = new URL('./main.ts', import.meta.url);

/** Runs `npm run soak` to its end. */
export const soak = (...args: string[]) => runScript(MAIN, ...args);

/** Returns the ids of all descendants of a process. */
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

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Starts a soak, and returns its processes once it runs. */
export async function startSoak() {
  const child = spawn(process.execPath, [programFile(MAIN), '--sessions', '50'], { stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  const exited = once(child, 'exit');
  await waitFor('it is under way', () => / s · \d+ alive/.test(stdout), 90_000);
  const started = descendants(child.pid!);
  expect(started.length).toBeGreaterThanOrEqual(6);
  return { child, started, exited, stdout: () => stdout, stderr: () => stderr };
}

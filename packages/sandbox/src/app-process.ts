import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** A running process of one of the apps. */
export interface AppProcess {
  readonly pid: number;
  /** @returns what it has written so far */
  stdout(): string;
  stderr(): string;
  kill(signal: NodeJS.Signals): void;
  /** Its exit code; null when a signal ended it. */
  readonly exited: Promise<number | null>;
}

/** The environment that a process needs to run at all, and the compile cache of Node, with which it starts sooner. */
export function bareEnvironment(): Record<string, string> {
  const { PATH = '', NODE_COMPILE_CACHE: cache } = process.env;
  return { PATH, ...(cache ? { NODE_COMPILE_CACHE: cache } : {}) };
}

/**
 * Returns the path of the file to start for a program of this repository: that of its bundle, if `SANDMAN_TEST_BUNDLES` names a
 * folder that has one, otherwise that of its source.
 */
export function programFile(source: URL): string {
  const path = fileURLToPath(source);
  const folder = process.env.SANDMAN_TEST_BUNDLES;
  if (!folder) return path;
  const bundle = join(folder, relative(ROOT, path)).replace(/\.ts$/, '.mjs');
  return existsSync(bundle) ? bundle : path;
}

/** Starts `apps/<app>` with this environment and {@link bareEnvironment}, and no other variables. */
export function startApp(app: string, env: Record<string, string>): AppProcess {
  return startEntry(new URL(`../../../apps/${app}/src/main.ts`, import.meta.url), env);
}

/**
 * Starts a program of this repository, see {@link programFile}, with this environment and {@link bareEnvironment}, and no other variables.
 *
 * @param cwd the folder of the new process; by default that of this one
 */
export function startEntry(entry: URL, env: Record<string, string>, cwd = process.cwd()): AppProcess {
  const child = spawn(process.execPath, [programFile(entry)], {
    cwd,
    env: { ...bareEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { pid: child.pid ?? 0, stdout: () => stdout, stderr: () => stderr, kill: (signal) => child.kill(signal), exited };
}

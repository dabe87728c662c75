import { spawn } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';

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
 * Starts `apps/<app>` with this environment and {@link bareEnvironment}, and no other variables. It runs from its bundle if
 * `SANDMAN_TEST_BUNDLES` names the folder of the bundles, and from its source otherwise.
 */
export function startApp(app: string, env: Record<string, string>): AppProcess {
  const bundles = process.env.SANDMAN_TEST_BUNDLES;
  return startEntry(bundles ? pathToFileURL(`${bundles}/${app}.mjs`) : new URL(`../../../apps/${app}/src/main.ts`, import.meta.url), env);
}

/**
 * Starts Node on a file with this environment and {@link bareEnvironment}, and no other variables.
 *
 * @param cwd the folder of the new process; by default that of this one
 */
export function startEntry(entry: URL, env: Record<string, string>, cwd = process.cwd()): AppProcess {
  const child = spawn(process.execPath, [fileURLToPath(entry)], {
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

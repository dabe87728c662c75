import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A real process of one of our apps. */
export interface AppProcess {
  readonly pid: number;
  /** What it wrote so far. */
  stdout(): string;
  stderr(): string;
  kill(signal: NodeJS.Signals): void;
  /** Its exit code; null when a signal ended it. */
  readonly exited: Promise<number | null>;
}

/** What a process needs to run at all, and to start sooner where others of its kind have before it. */
export function bareEnvironment(): Record<string, string> {
  const { PATH = '', NODE_COMPILE_CACHE: cache } = process.env;
  return { PATH, ...(cache ? { NODE_COMPILE_CACHE: cache } : {}) };
}

/** Starts `apps/<app>` with this environment and nothing else. */
export function startApp(app: string, env: Record<string, string>): AppProcess {
  return startEntry(new URL(`../../../apps/${app}/src/main.ts`, import.meta.url), env);
}

/** Starts Node on a file, with this environment and nothing else. @param cwd the process's folder; this one's by default */
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

import { runScript } from '@sandman/sandbox';

/** Runs the command line of the simulation in a process of its own. */
export function simulate(...args: string[]) {
  return runScript(new URL('./main.ts', import.meta.url), ...args);
}

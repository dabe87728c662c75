import { InvalidInput } from '@sandman/core';
import { EnvError } from './env.ts';

/** How long a process may take to close after a signal, in ms. */
const DRAIN_MS = 25_000;
/** A SIGINT later than this after the first signal is a second Ctrl-C; an earlier one is the same Ctrl-C, sent twice; ms. */
const SAME_SIGNAL_MS = 1_000;
/** The exit code that shells report for a process ended by SIGINT. */
const FORCED = 130;

export interface Running {
  /** Accepts no new work, finishes the work in progress, and releases all resources. */
  close(): Promise<void>;
}

/**
 * Runs a process. A bad environment, or settings that do not fit the data, are one line and exit code 2; any other failed
 * start is one line and exit code 1. SIGTERM and SIGINT close the process within 25 s, with exit code 0; an uncaught error
 * does too, with exit code 1. A second Ctrl-C ends it at once, with 130.
 *
 * @param start starts the process; it gets a function that ends the process at once, as a failed start does
 */
export async function runProcess(name: string, start: (fail: (error: unknown) => void) => Promise<Running>): Promise<void> {
  let leavingSince: number | undefined;
  // Not close-with-grace: it exits with code 1 at the second signal, and signals usually arrive twice (process group and npm).
  const leave = async (code: number) => {
    if (leavingSince !== undefined) return;
    leavingSince = performance.now();
    setTimeout(() => process.exit(code), DRAIN_MS).unref();
    try {
      // If the signal came during the start, close only after the start has ended.
      await (await starting).close();
    } catch (error) {
      process.stderr.write(`${name}: ${error}\n`);
    }
    process.exit(code);
  };
  process.on('SIGTERM', () => leave(0));
  process.on('SIGINT', () => {
    if (leavingSince !== undefined && performance.now() - leavingSince > SAME_SIGNAL_MS) process.exit(FORCED);
    leave(0);
  });
  for (const fault of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(fault, (error: unknown) => {
      process.stderr.write(`${name}: ${error instanceof Error ? error.stack : error}\n`);
      leave(1);
    });
  }
  const complain = (error: unknown): number => {
    process.stderr.write(`${name}: ${error instanceof Error ? error.message.split('\n')[0] : error}\n`);
    return error instanceof EnvError || error instanceof InvalidInput ? 2 : 1;
  };
  const starting = start((error) => process.exit(complain(error)));
  try {
    await starting;
  } catch (error) {
    process.exit(complain(error));
  }
}

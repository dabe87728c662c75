import { InvalidInput } from '@sandman/core';
import { EnvError } from './env.ts';

/** How long a process may drain, in ms. */
const DRAIN_MS = 25_000;
/** A SIGINT this long after the first signal is a person's second Ctrl-C, not the same one by another way; ms. */
const SAME_SIGNAL_MS = 1_000;
/** What shells give for a process that SIGINT ended. */
const FORCED = 130;

export interface Running {
  /** Takes nothing new, finishes what runs, lets go of everything. */
  close(): Promise<void>;
}

/**
 * Runs a process of ours: a bad environment is one line and exit code 2, any other failed start one line and 1;
 * SIGTERM and SIGINT drain for at most 25 s and exit 0, an uncaught error does and exits 1. A second Ctrl-C ends it at once.
 *
 * @param start is given what ends the process later, at once, as a failed start would
 */
export async function runProcess(name: string, start: (fail: (error: unknown) => void) => Promise<Running>): Promise<void> {
  let leavingSince: number | undefined;
  // close-with-grace ends with code 1 at the second signal; ours arrive twice as a rule (from the group and from npm).
  const leave = async (code: number) => {
    if (leavingSince !== undefined) return;
    leavingSince = performance.now();
    setTimeout(() => process.exit(code), DRAIN_MS).unref();
    try {
      // A signal may come while it starts: what is half open is closed when it is whole.
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

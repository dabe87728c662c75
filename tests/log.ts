import type { AppProcess } from '@sandman/testing';

/** A line of a process's log. */
export interface Line {
  readonly level: number;
  readonly msg: string;
  readonly traceId?: string;
  readonly session?: string;
  readonly action?: string;
  readonly cause?: string;
  readonly reason?: string;
}

/** Returns the log lines that a process has written so far. */
export function linesOf(app: AppProcess): Line[] {
  const whole = app.stdout().split('\n').slice(0, -1);
  return whole.filter((line) => line.startsWith('{"')).map((line) => JSON.parse(line));
}

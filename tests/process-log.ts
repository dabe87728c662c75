import type { AppProcess } from '@sandman/sandbox';

/** A line of a process's log. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly traceId?: string;
  readonly session?: string;
  readonly action?: string;
  readonly cause?: string;
  readonly reason?: string;
}

/** Returns the log lines that a process has written so far. */
export function logLinesOf(app: AppProcess): LogLine[] {
  const whole = app.stdout().split('\n').slice(0, -1);
  return whole.filter((line) => line.startsWith('{"')).map((line) => JSON.parse(line));
}

import type { ActivityKind, ErrorCode } from '@sandman/core';
import type { Taken } from '@sandman/lifecycle';
import type { Metrics } from '@sandman/runtime';
import { rejectionCode } from './problems.ts';

/** Returns functions that count activity signals by their result. */
export function signalCounts({ activity }: Metrics) {
  const countTaken = (kind: ActivityKind, { woke }: Taken) => activity.inc({ kind, result: woke ? 'woke' : 'accepted' });
  const countRefused = (kind: ActivityKind, code: ErrorCode | null) => {
    if (code === 'session-not-found') activity.inc({ kind, result: 'not-found' });
    if (code === 'session-deleted') activity.inc({ kind, result: 'deleted' });
  };
  return {
    countTaken,
    countRefused,
    /** Counts a signal of one session when it settles, and returns or throws its result. */
    async counted(kind: ActivityKind, signal: Promise<Taken>): Promise<Taken> {
      try {
        const taken = await signal;
        countTaken(kind, taken);
        return taken;
      } catch (error) {
        countRefused(kind, rejectionCode(error));
        throw error;
      }
    },
  };
}

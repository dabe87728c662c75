import type { ActivityKind } from '@sandman/core';
import type { Taken } from '@sandman/lifecycle';
import type { Metrics } from '@sandman/runtime';
import { rejection } from './problems.ts';

/** Makes a function that counts an activity signal by what became of it, and hands that on. */
export function countSignals({ activity }: Metrics) {
  return async <T extends Taken | Taken[]>(kind: ActivityKind, signal: Promise<T>): Promise<T> => {
    try {
      const taken = await signal;
      for (const { woke } of [taken].flat()) activity.inc({ kind, result: woke ? 'woke' : 'accepted' });
      return taken;
    } catch (error) {
      const code = rejection(error);
      if (code === 'session-not-found') activity.inc({ kind, result: 'not-found' });
      if (code === 'session-deleted') activity.inc({ kind, result: 'deleted' });
      throw error;
    }
  };
}

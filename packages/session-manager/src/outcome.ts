import type { Action, Outcome } from '@sandman/core';
import { parseRetryAfter } from './retry-after.ts';
import { describeUnanswered, type Unanswered } from './unanswered.ts';

/** An answer of the session-manager to a lifecycle call. */
export interface LifecycleAnswer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

function readReplicas(body: string): Outcome {
  try {
    const { replicas } = JSON.parse(body) as { replicas?: unknown };
    if (typeof replicas === 'number' && replicas >= 0) return { kind: 'done', pod: replicas > 0 ? 'awake' : 'asleep' };
  } catch {
    // Falls through: an answer that is not JSON is treated as one without replicas.
  }
  return { kind: 'transient', sent: true, error: 'status answered no replicas' };
}

/** Turns an answer into an outcome. */
export function outcomeOfAnswer(action: Action, { status, headers, body }: LifecycleAnswer): Outcome {
  const error = `HTTP ${status}`;
  if (status >= 200 && status < 300) return action === 'status' ? readReplicas(body) : { kind: 'done' };
  if (status === 404) return { kind: 'gone' };
  if (status === 409 && (action === 'sleep' || action === 'wake')) return { kind: 'done' };
  if (status === 429 || status === 503) {
    const retryAfter = parseRetryAfter(headers['retry-after']);
    return { kind: 'transient', sent: status !== 429, error, ...(retryAfter > 0 ? { retryAfter } : {}) };
  }
  // A gateway that got no answer does not know whether the call took effect, or still will.
  if ((status === 502 || status === 504) && action !== 'status') return { kind: 'unknown', error };
  if (status >= 500) return { kind: 'transient', sent: true, error };
  return { kind: 'permanent', error };
}

/** Turns a call without an answer into an outcome. @param timeout the call's time-out, in ms */
export function outcomeOfFailure(action: Action, failure: Unanswered, timeout: number): Outcome {
  const error = describeUnanswered(failure, timeout);
  if (failure.code === 'UND_ERR_INVALID_ARG') return { kind: 'permanent', error };
  if (!failure.sent) return { kind: 'transient', sent: false, error };
  return action === 'status' ? { kind: 'transient', sent: true, error } : { kind: 'unknown', error };
}

import {
  LONGEST_RETRY_AFTER_MS,
  type Outcome,
  type PatrolFinding,
  type Pod,
  type PodControl,
  type RateLimiter,
  type SessionRecord,
  type SessionStore,
  verify,
} from '@sandman/core';
import type { Arming } from './arming.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import { repeat, type System } from './system.ts';

/** The least time between two reads of one session's status, in ms. */
const LEAST_MS = 15_000;
/** The longest wait before the patrol asks again for a turn, in ms, because new sessions may have come. */
const LONGEST_PAUSE_MS = 1_000;
/** Status reads under way at once in a process. */
const AT_ONCE = 10;
/** How soon the patrol tries again while that many are under way, in ms. */
const FULL_MS = 50;

export interface PatrolOptions {
  readonly store: SessionStore;
  readonly pods: PodControl;
  /** Limits the status reads per second of all workers together. */
  readonly rateLimiter: RateLimiter;
  /**
   * Takes a place in the rate limiter of calls and returns 0, if no other call would have to wait for it; otherwise returns
   * how long to wait, in ms. Null: calls have no rate limit.
   */
  readonly spare: (() => Promise<number>) | null;
  readonly circuit: CircuitBreaker;
  readonly arming: Arming;
  readonly system: System;
  /** Called with what a status read found. @param recorded the pod as its record has it */
  readonly found: (found: PatrolFinding, uuid: string, recorded: Pod) => void;
  readonly failed: (error: unknown) => void;
}

/** Returns whether nothing else deals with the pod now: no call in flight or due, no status read to come, no delete. */
function isSettled({ action, verifyAt, pod, wanted }: SessionRecord): boolean {
  return action === '' && verifyAt === 0 && wanted !== 'gone' && (pod === 'awake' || pod === 'asleep');
}

/**
 * Starts the patrol: reads the status of all pods in turn, because others may scale or delete pods. The patrol takes no lock
 * and no permit. It writes only where a pod is not as its record has it: then a worker reads the status again, under the
 * session's lock, and does what the record wants.
 *
 * @returns a function that ends the patrol after the current turn; it does not wait for reads under way
 */
export function startPatrol(options: PatrolOptions): () => Promise<void> {
  const { store, pods, rateLimiter, spare, circuit, arming, system, found, failed } = options;
  let shard = 0;
  let reading = 0;
  /** The end of the session-manager's last `Retry-After`. */
  let quietUntil = Number.NEGATIVE_INFINITY;

  /** Takes a turn, if there is one. @returns in how many ms to take the next one */
  const take = async (): Promise<number> => {
    if (reading >= AT_ONCE) return FULL_MS;
    // While the circuit is open, probes read statuses.
    if (circuit.isOpen || system.elapsed() < quietUntil) return LONGEST_PAUSE_MS;
    const early = (await spare?.()) || (await rateLimiter.take());
    if (early > 0) return early;
    let wait = LONGEST_PAUSE_MS;
    for (let i = 0; i < store.shards; i++) {
      const turn = await store.patrol(shard++ % store.shards, LEAST_MS);
      if (turn.kind === 'next') {
        reading++;
        readStatus(turn.uuid)
          .catch(failed)
          .finally(() => reading--);
        return 0;
      }
      wait = Math.min(wait, turn.ms);
    }
    return wait;
  };

  const readStatus = async (uuid: string): Promise<void> => {
    const { record } = await store.read(uuid);
    if (!record || !isSettled(record)) return;
    const connection = await pods.open();
    if (!connection) return;
    const answer = await connection.call('status', uuid, system.newId());
    // A failed status read says nothing about other calls, so it must not open the circuit.
    const outcome = answer.kind === 'done' || answer.kind === 'gone' ? circuit.recordAndCorrect(uuid, answer) : answer;
    if (outcome.kind === 'transient' && outcome.retryAfter)
      quietUntil = system.elapsed() + Math.min(outcome.retryAfter, LONGEST_RETRY_AFTER_MS);
    const seen = seenIn(outcome);
    if (seen === 'unread' || seen === record.pod) return found(seen === 'unread' ? seen : 'as-recorded', uuid, record.pod);
    const { record: current, now } = await store.read(uuid);
    // Another call has changed the record meanwhile.
    if (!current || !isSettled(current) || current.pod !== record.pod) return;
    found(seen, uuid, record.pod);
    const asked = await store.commit(uuid, current, verify(current, now));
    // If another process wrote in between, the next turn finds the pod if it still differs.
    if (asked.kind === 'committed') await arming.arm(asked, current);
  };

  return repeat(system, LONGEST_PAUSE_MS, async () => ({ again: await take() }), failed);
}

function seenIn(outcome: Outcome): Exclude<PatrolFinding, 'as-recorded'> {
  if (outcome.kind === 'gone') return 'gone';
  return (outcome.kind === 'done' && outcome.pod) || 'unread';
}

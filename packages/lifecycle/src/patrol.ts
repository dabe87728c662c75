import {
  LONGEST_RETRY_AFTER_MS,
  type Outcome,
  type Pace,
  type PatrolFinding,
  type Pod,
  type PodControl,
  type SessionRecord,
  type SessionStore,
  verify,
} from '@sandman/core';
import type { Arming } from './arming.ts';
import type { Circuit } from './circuit.ts';
import { repeat, type Surroundings } from './surroundings.ts';

/** The least time between two reads of one session's status, in ms. */
const LEAST_MS = 15_000;
/** How long to wait at most before it is looked again whose turn it is, in ms: sessions may have come. */
const LONGEST_PAUSE_MS = 1_000;
/** Reads under way at once in a process. */
const AT_ONCE = 10;
/** How soon it is tried again while so many are under way, in ms. */
const FULL_MS = 50;

export interface PatrolOptions {
  readonly store: SessionStore;
  readonly pods: PodControl;
  /** The reads per second of all workers together. */
  readonly pace: Pace;
  /** Takes a place among the calls that are bounded per second if no other call would wait for it, else says for how long to wait, in ms; null: nothing is bounded. */
  readonly spare: (() => Promise<number>) | null;
  readonly circuit: Circuit;
  readonly arming: Arming;
  readonly surroundings: Surroundings;
  /** @param recorded what the record says of the pod */
  readonly found: (found: PatrolFinding, uuid: string, recorded: Pod) => void;
  readonly failed: (error: unknown) => void;
}

/** Whether something else is at it: a call, or a status read that is due. */
function isSettled({ action, verifyAt, pod, wanted }: SessionRecord): boolean {
  return action === '' && verifyAt === 0 && wanted !== 'gone' && (pod === 'awake' || pod === 'asleep');
}

/**
 * Reads the status of one session's pod after the other: others may scale or delete pods. It takes no lock and no permit,
 * and writes only where the pod is not as its record has it: then a worker reads the status again, under the session's lock,
 * and does what the record wants.
 *
 * @returns what ends it, after the turn that is taken; reads that are under way are not waited for
 */
export function startPatrol(options: PatrolOptions): () => Promise<void> {
  const { store, pods, pace, spare, circuit, arming, surroundings, found, failed } = options;
  let shard = 0;
  let reading = 0;
  /** Until when the session-manager asked to be left alone. */
  let quietUntil = Number.NEGATIVE_INFINITY;

  const take = async (): Promise<number> => {
    if (reading >= AT_ONCE) return FULL_MS;
    // While the circuit is open, probes read statuses.
    if (circuit.isOpen || surroundings.elapsed() < quietUntil) return LONGEST_PAUSE_MS;
    const early = (await spare?.()) || (await pace.take());
    if (early > 0) return early;
    let wait = LONGEST_PAUSE_MS;
    for (let i = 0; i < store.shards; i++) {
      const turn = await store.patrol(shard++ % store.shards, LEAST_MS);
      if (turn.kind === 'next') {
        reading++;
        look(turn.uuid)
          .catch(failed)
          .finally(() => reading--);
        return 0;
      }
      wait = Math.min(wait, turn.ms);
    }
    return wait;
  };

  const look = async (uuid: string): Promise<void> => {
    const { record } = await store.read(uuid);
    if (!record || !isSettled(record)) return;
    const connection = await pods.open();
    if (!connection) return;
    const answer = await connection.call('status', uuid, surroundings.id());
    // That statuses cannot be read says nothing of the other calls: it must not hold them up.
    const outcome = answer.kind === 'done' || answer.kind === 'gone' ? circuit.judge(uuid, answer) : answer;
    if (outcome.kind === 'transient' && outcome.retryAfter)
      quietUntil = surroundings.elapsed() + Math.min(outcome.retryAfter, LONGEST_RETRY_AFTER_MS);
    const seen = seenIn(outcome);
    if (seen === 'unread' || seen === record.pod) return found(seen === 'unread' ? seen : 'as-recorded', uuid, record.pod);
    const { record: current, now } = await store.read(uuid);
    // Somebody has called meanwhile.
    if (!current || !isSettled(current) || current.pod !== record.pod) return;
    found(seen, uuid, record.pod);
    const asked = await store.commit(uuid, current, verify(current, now));
    // Where somebody wrote in between, the next turn finds what is still so.
    if (asked.kind === 'committed') await arming.arm(asked, current);
  };

  return repeat(surroundings, LONGEST_PAUSE_MS, take, failed);
}

function seenIn(outcome: Outcome): Exclude<PatrolFinding, 'as-recorded'> {
  if (outcome.kind === 'gone') return 'gone';
  return (outcome.kind === 'done' && outcome.pod) || 'unread';
}

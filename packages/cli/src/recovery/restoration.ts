import { setTimeout } from 'node:timers/promises';
import {
  CONFIRM_MS,
  type CommitResult,
  type FoundPod,
  type LiveStatus,
  type PolicySet,
  restoredRecord,
  type SessionStore,
  statusOf,
} from '@sandman/core';
import { type Ledger, reasonOf } from '@sandman/ledger';
import type { Arming } from '@sandman/lifecycle';
import type { RedisShardState } from '@sandman/store';
import { forEachConcurrently } from '../for-each-concurrently.ts';
import { writeDeletionToLedger } from './ledger-deletion.ts';
import { currentPolicyOf, isLiving, type LivingSession, pagesOf } from './ledger-rows.ts';
import { type Plausibility, SAMPLE_SIZE } from './plausibility.ts';
import type { RestoreCounts } from './restore-counts.ts';
import { type PodReading, READS_IN_FLIGHT, type StatusReader } from './status-reader.ts';

export interface RestorationParts {
  readonly ledger: Ledger;
  readonly store: SessionStore;
  readonly shardState: Pick<RedisShardState, 'readShardOf'>;
  readonly arming: Arming;
  readonly reader: StatusReader;
  readonly plausibility: Plausibility;
  readonly policies: PolicySet;
  readonly counts: RestoreCounts;
  /** Called after each session. */
  readonly counted: () => void;
  /** How long a doubt lasts: `SESSION_MANAGER_TIMEOUT + LATE_EFFECT_BOUND`, in ms. */
  readonly doubt: number;
  /** Returns for how long no user could come back, in ms, given Redis' time `now` in ms. */
  readonly outage: (now: number) => number;
  /** Whether to write nothing. */
  readonly dryRun: boolean;
  /** Runs before the first session is written. */
  readonly prepare: () => Promise<void>;
}

/** A session whose pod the session-manager does not know, and when it said so, in ms of the monotonic clock. */
interface GoneSession {
  readonly row: LivingSession;
  readonly foundAt: number;
}

/**
 * Writes the sessions of the ledger that Redis lacks into Redis, by the workers' rules: commits the record on condition that
 * there is none, then arms its alarms. If the process dies in between, the mark remains, and a worker arms the alarms.
 */
export class Restoration {
  readonly #options: RestorationParts;
  readonly #gone: GoneSession[] = [];

  constructor(parts: RestorationParts) {
    this.#options = parts;
  }

  /**
   * Restores all sessions that Redis lacks.
   *
   * @param signal ends it early
   * @throws CommandFailure if the session-manager's answers are implausible
   */
  async run(signal: AbortSignal): Promise<void> {
    const { plausibility, counts } = this.#options;
    const known = () => counts.skipped.inRedis > 0;
    const missing = this.#missing();
    const sample = await firstOf(missing, SAMPLE_SIZE);
    const readings = await Promise.all(sample.map((row) => this.#read(row)));
    if (signal.aborted) return;
    plausibility.check(known());
    await this.#options.prepare();
    await Promise.all(sample.map((row, i) => this.#settle(row, readings[i]!)));
    await forEachConcurrently(missing, READS_IN_FLIGHT, signal, async (row) => {
      const reading = await this.#read(row);
      // After an interrupt the reading may have been cut short, so it says nothing about the pod.
      if (signal.aborted) return;
      plausibility.check(known());
      await this.#settle(row, reading);
    });
    if (!signal.aborted) plausibility.check(known());
    await forEachConcurrently(this.#gone.values(), READS_IN_FLIGHT, signal, (one) => this.#confirmGone(one, signal));
  }

  /** Yields the sessions that the ledger has alive and Redis lacks. */
  async *#missing(): AsyncGenerator<LivingSession> {
    const { ledger, store, counts } = this.#options;
    for await (const page of pagesOf(ledger)) {
      const living = page.filter(isLiving);
      counts.skipped.deleted += page.length - living.length;
      const readings = await Promise.all(living.map(({ uuid }) => store.read(uuid)));
      for (const [i, row] of living.entries()) {
        if (readings[i]!.record === null) {
          yield row;
        } else {
          counts.skipped.inRedis++;
          this.#options.counted();
        }
      }
    }
  }

  async #read(row: LivingSession): Promise<PodReading> {
    const reading = await this.#options.reader.read(row.uuid);
    this.#options.plausibility.note(reading);
    return reading;
  }

  async #settle(row: LivingSession, reading: PodReading): Promise<void> {
    const { counts } = this.#options;
    if (reading.kind === 'gone') {
      counts.gone.push(row.uuid);
      this.#gone.push({ row, foundAt: performance.now() });
      return this.#options.counted();
    }
    try {
      await this.#restore(row, reading.kind);
    } catch (error) {
      counts.failed.push({ uuid: row.uuid, error: reasonOf(error) });
    }
    this.#options.counted();
  }

  async #restore(row: LivingSession, found: FoundPod): Promise<void> {
    const { store, shardState, arming, policies, counts, doubt, outage, dryRun } = this.#options;
    const known = currentPolicyOf(row, policies);
    const { now, intake } = await shardState.readShardOf(row.uuid);
    const past = { ...row, policy: known ?? policies.default, sleptAt: row.sleptAt || null };
    const patch = restoredRecord(past, found, { now, intake, doubt, outage: outage(now) });
    if (!dryRun) {
      const result = await store.commit(row.uuid, null, { patch, alarms: true });
      if (!isRestored(result)) {
        // Another process has tracked the session meanwhile.
        counts.skipped.inRedis++;
        return;
      }
      await arming.arm({ record: result.record, now: result.now });
    }
    counts.restored[statusOf({ wanted: 'awake', pod: 'awake', ...patch }) as LiveStatus]++;
    if (found === 'unread') counts.unread.push(row.uuid);
    if (!known) counts.withoutPolicy(row.policy);
  }

  /** Reads the status again 10 s after the first 404, since a single one is not believed, and then writes the ledger. */
  async #confirmGone({ row, foundAt }: GoneSession, signal: AbortSignal): Promise<void> {
    const { ledger, store, shardState, reader, counts, dryRun } = this.#options;
    if (dryRun) return;
    await setTimeout(Math.max(0, foundAt + CONFIRM_MS - performance.now()), undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    const { now } = await shardState.readShardOf(row.uuid);
    const again = await reader.read(row.uuid);
    if (again.kind !== 'gone') {
      counts.gone.splice(counts.gone.indexOf(row.uuid), 1);
      return this.#settle(row, again);
    }
    // If the session has been tracked meanwhile, the workers write the ledger.
    if ((await store.read(row.uuid)).record) return;
    await writeDeletionToLedger(ledger, row, now).catch((error) => {
      counts.failed.push({ uuid: row.uuid, error: `its pod is gone, and the ledger could not be told: ${reasonOf(error)}` });
    });
  }
}

/** Tells whether the record is a restored one. After a conflict that is this commit, sent again after a reconnect, or another restore's. */
function isRestored(result: CommitResult): result is CommitResult & { readonly record: NonNullable<CommitResult['record']> } {
  return result.kind === 'committed' || (result.record?.rev === 1 && result.record.cause === 'restored');
}

/** Takes the first `count` items, or all if there are fewer. */
async function firstOf<T>(items: AsyncIterator<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  while (taken.length < count) {
    const { value, done } = await items.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

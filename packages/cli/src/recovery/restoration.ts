import { setTimeout } from 'node:timers/promises';
import {
  CONFIRM_MS,
  type CommitResult,
  type Found,
  type LiveStatus,
  type PolicyBook,
  rebirth,
  type SessionStore,
  statusOf,
} from '@sandman/core';
import { type Ledger, reasonOf } from '@sandman/ledger';
import type { Arming } from '@sandman/lifecycle';
import type { RedisSlate } from '@sandman/store';
import { writeOff } from './departure.ts';
import { AT_ONCE, firstOf, inLanes } from './lanes.ts';
import { isLiving, type LivingSession, pagesOf, policyOf } from './ledger-rows.ts';
import { type Plausibility, SAMPLE } from './plausibility.ts';
import type { PodReading, StatusReader } from './status-reader.ts';
import type { Tally } from './tally.ts';

export interface RestorationParts {
  readonly ledger: Ledger;
  readonly store: SessionStore;
  readonly slate: Pick<RedisSlate, 'shardOf'>;
  readonly arming: Arming;
  readonly reader: StatusReader;
  readonly plausibility: Plausibility;
  readonly policies: PolicyBook;
  readonly tally: Tally;
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
interface Missing {
  readonly row: LivingSession;
  readonly foundAt: number;
}

/**
 * Writes the sessions of the ledger that Redis lacks into Redis, by the workers' rules: commits the record on condition that
 * there is none, then arms its alarms. If the process dies in between, the mark remains, and a worker arms the alarms.
 */
export class Restoration {
  readonly #on: RestorationParts;
  readonly #gone: Missing[] = [];

  constructor(parts: RestorationParts) {
    this.#on = parts;
  }

  /**
   * Restores all sessions that Redis lacks.
   *
   * @param signal ends it early
   * @throws CommandFailure if the session-manager's answers are implausible
   */
  async run(signal: AbortSignal): Promise<void> {
    const { plausibility, tally } = this.#on;
    const known = () => tally.skipped.inRedis > 0;
    const missing = this.#missing();
    const sample = await firstOf(missing, SAMPLE);
    const readings = await Promise.all(sample.map((row) => this.#read(row)));
    if (signal.aborted) return;
    plausibility.check(known());
    await this.#on.prepare();
    await Promise.all(sample.map((row, i) => this.#settle(row, readings[i]!)));
    await inLanes(missing, AT_ONCE, signal, async (row) => {
      const reading = await this.#read(row);
      // After an interrupt the reading may have been cut short, so it says nothing about the pod.
      if (signal.aborted) return;
      plausibility.check(known());
      await this.#settle(row, reading);
    });
    if (!signal.aborted) plausibility.check(known());
    await inLanes(this.#gone.values(), AT_ONCE, signal, (one) => this.#writeOff(one, signal));
  }

  /** Yields the sessions that the ledger has alive and Redis lacks. */
  async *#missing(): AsyncGenerator<LivingSession> {
    const { ledger, store, tally } = this.#on;
    for await (const page of pagesOf(ledger)) {
      const living = page.filter(isLiving);
      tally.skipped.deleted += page.length - living.length;
      const readings = await Promise.all(living.map(({ uuid }) => store.read(uuid)));
      for (const [i, row] of living.entries()) {
        if (readings[i]!.record === null) {
          yield row;
        } else {
          tally.skipped.inRedis++;
          this.#on.counted();
        }
      }
    }
  }

  async #read(row: LivingSession): Promise<PodReading> {
    const reading = await this.#on.reader.read(row.uuid);
    this.#on.plausibility.note(reading);
    return reading;
  }

  async #settle(row: LivingSession, reading: PodReading): Promise<void> {
    const { tally } = this.#on;
    if (reading.kind === 'gone') {
      tally.gone.push(row.uuid);
      this.#gone.push({ row, foundAt: performance.now() });
      return this.#on.counted();
    }
    try {
      await this.#restore(row, reading.kind);
    } catch (error) {
      tally.failed.push({ uuid: row.uuid, error: reasonOf(error) });
    }
    this.#on.counted();
  }

  async #restore(row: LivingSession, found: Found): Promise<void> {
    const { store, slate, arming, policies, tally, doubt, outage, dryRun } = this.#on;
    const known = policyOf(row, policies);
    const { now, ingest } = await slate.shardOf(row.uuid);
    const past = { ...row, policy: known ?? policies.default, sleptAt: row.sleptAt || null };
    const patch = rebirth(past, found, { now, ingest, doubt, outage: outage(now) });
    if (!dryRun) {
      const result = await store.commit(row.uuid, null, { patch, alarms: true });
      if (!isOurs(result)) {
        // Another process has tracked the session meanwhile.
        tally.skipped.inRedis++;
        return;
      }
      await arming.arm({ record: result.record, now: result.now });
    }
    tally.restored[statusOf({ wanted: 'awake', pod: 'awake', ...patch }) as LiveStatus]++;
    if (found === 'unread') tally.unread.push(row.uuid);
    if (!known) tally.withoutPolicy(row.policy);
  }

  /** Reads the status again 10 s after the first 404, since a single one is not believed, and then writes the ledger. */
  async #writeOff({ row, foundAt }: Missing, signal: AbortSignal): Promise<void> {
    const { ledger, store, slate, reader, tally, dryRun } = this.#on;
    if (dryRun) return;
    await setTimeout(Math.max(0, foundAt + CONFIRM_MS - performance.now()), undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    const { now } = await slate.shardOf(row.uuid);
    const again = await reader.read(row.uuid);
    if (again.kind !== 'gone') {
      tally.gone.splice(tally.gone.indexOf(row.uuid), 1);
      return this.#settle(row, again);
    }
    // If the session has been tracked meanwhile, the workers write the ledger.
    if ((await store.read(row.uuid)).record) return;
    await writeOff(ledger, row, now).catch((error) => {
      tally.failed.push({ uuid: row.uuid, error: `its pod is gone, and the ledger could not be told: ${reasonOf(error)}` });
    });
  }
}

/** Tells whether the record is a restored one. After a conflict that is this commit, sent again after a reconnect, or another restore's. */
function isOurs(result: CommitResult): result is CommitResult & { readonly record: NonNullable<CommitResult['record']> } {
  return result.kind === 'committed' || (result.record?.rev === 1 && result.record.cause === 'restored');
}

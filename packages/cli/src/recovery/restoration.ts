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
  /** Told after each session. */
  readonly counted: () => void;
  /** `SESSION_MANAGER_TIMEOUT + LATE_EFFECT_BOUND`, ms. */
  readonly doubt: number;
  /** For how long nobody could come back, at Redis' time `now` (ms); in ms. */
  readonly outage: (now: number) => number;
  /** Nothing is written. */
  readonly dryRun: boolean;
  /** Done before the first is written. */
  readonly prepare: () => Promise<void>;
}

/** A session whose pod the session-manager does not know, and when it said so, in monotonic ms. */
interface Missing {
  readonly row: LivingSession;
  readonly foundAt: number;
}

/**
 * Writes the ledger's sessions into Redis that are not there, each by the workers' own rules: its record is committed
 * against nothing, then its alarms are set; whoever dies in between leaves a mark that a worker finds.
 */
export class Restoration {
  readonly #on: RestorationParts;
  readonly #gone: Missing[] = [];

  constructor(parts: RestorationParts) {
    this.#on = parts;
  }

  /**
   * @param signal ends it early
   * @throws CommandFailure where the session-manager's answers cannot be true
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
      // Not because it was told to stop is a status unknown.
      if (signal.aborted) return;
      plausibility.check(known());
      await this.#settle(row, reading);
    });
    if (!signal.aborted) plausibility.check(known());
    await inLanes(this.#gone.values(), AT_ONCE, signal, (one) => this.#writeOff(one, signal));
  }

  /** Those that live by the ledger and are not in Redis. */
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
        // Somebody began to track it meanwhile.
        tally.skipped.inRedis++;
        return;
      }
      await arming.arm({ record: result.record, now: result.now });
    }
    tally.restored[statusOf({ wanted: 'awake', pod: 'awake', ...patch }) as LiveStatus]++;
    if (found === 'unread') tally.unread.push(row.uuid);
    if (!known) tally.withoutPolicy(row.policy);
  }

  /** Asks a second time, late enough to be believed, before the ledger is told. */
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
    // Who tracks it meanwhile tells the ledger, too.
    if ((await store.read(row.uuid)).record) return;
    await writeOff(ledger, row, now).catch((error) => {
      tally.failed.push({ uuid: row.uuid, error: `its pod is gone, and the ledger could not be told: ${reasonOf(error)}` });
    });
  }
}

/** A conflict that shows what a restore writes is our own commit, sent again after a reconnect, or another restore's. */
function isOurs(result: CommitResult): result is CommitResult & { readonly record: NonNullable<CommitResult['record']> } {
  return result.kind === 'committed' || (result.record?.rev === 1 && result.record.cause === 'restored');
}

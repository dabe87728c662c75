import {
  type AlarmEnd,
  type AlarmName,
  type AlarmRef,
  type Decision,
  decide,
  HEARTBEAT_MS,
  isNoLongerNeeded,
  nextRingAt,
  type Patch,
  type SessionRecord,
  takeOver,
  verifyAfterDataLoss,
  withoutWarnings,
} from '@sandman/core';
import type { DryRun } from './dry-run.ts';
import { LatestReading } from './latest-reading.ts';
import { type CallObserver, PodCaller, type PodCallerOptions } from './pod-call.ts';
import { PolicyUpgrade, type PolicyUpgradeOptions } from './policy-upgrade.ts';

/** How soon an alarm rings again after its handling failed, in ms. */
const AFTER_ERROR_MS = 1_000;
/**
 * If the next step is due within this time, in ms, the handler waits for it. It waits a few times only, so that a session with
 * constant pings does not keep its alarm running.
 */
const SHORT_MS = 20;
const SHORT_WAITS = 4;

const COMPLETED: AlarmEnd = { kind: 'completed' };

/** A decision that is carried out by a commit alone. */
type Step = Extract<Decision, { kind: 'warn' | 'suspect' | 'take-over' }>;

/** Receives what is counted and logged. */
export interface Observer extends CallObserver {
  /** An alarm rang before there was anything to do. */
  early(alarm: AlarmName): void;
}

export interface ReconcilerOptions extends PodCallerOptions {
  readonly observer: Observer;
  readonly policies: PolicyUpgradeOptions['policies'];
  /** The dry run, in which no call may change a pod; null: there is none. */
  readonly dryRun: DryRun | null;
  /** Queues the warning that the session will sleep or be deleted at `at` (ms) if no activity arrives. */
  readonly warn: (record: SessionRecord, of: 'sleep' | 'delete', at: number) => Promise<void>;
}

/** Handles alarms: reads the record, decides, and does one step after the other. Leaves no record without its alarm. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #caller: PodCaller;
  readonly #policies: PolicyUpgrade;

  constructor(options: ReconcilerOptions) {
    const { policies, arming, dryRun } = options;
    this.#options = options;
    this.#caller = new PodCaller(options);
    this.#policies = new PolicyUpgrade({ policies, arming, isDryRun: dryRun !== null });
  }

  /** Handles one alarm. Never throws: on any failure the alarm rings again. */
  async handle(alarm: AlarmRef): Promise<AlarmEnd> {
    try {
      return await this.#handle(alarm);
    } catch (error) {
      this.#options.observer.failed(error, alarm.uuid);
      return { kind: 'again', ms: AFTER_ERROR_MS };
    }
  }

  async #handle(alarm: AlarmRef): Promise<AlarmEnd> {
    const { uuid, name, n } = alarm;
    const { observer, system, dryRun } = this.#options;
    const latest = new LatestReading(uuid, this.#options);
    await latest.read();
    let warned = false;
    for (let waits = 0; ; ) {
      const record = latest.record && this.#decidedOn(latest.record);
      // An older number is void: the newer alarms are armed already, or their mark makes a worker arm them.
      if (!record || n < record.n) return COMPLETED;
      if (await this.#policies.apply(latest, record, name)) continue;
      const now = latest.now();
      const decision = decide(record, now);
      if (decision.kind === 'over') return COMPLETED;
      if (decision.kind === 'rest') {
        if (decision.until === null || (n === record.n && isNoLongerNeeded(record, name, now))) return COMPLETED;
        if (decision.until <= now + SHORT_MS && waits++ < SHORT_WAITS) {
          await system.pause(decision.until - now);
          await latest.read();
          continue;
        }
        // An alarm that only waits for a heartbeat did not ring early.
        if (record.action === '' && !warned && decision.until > now + HEARTBEAT_MS) observer.early(name);
        return { kind: 'again', ms: nextRingAt(record, name, decision.until, now) - now };
      }
      if (decision.kind === 'want' || decision.kind === 'act') {
        if (dryRun && decision.action !== 'status') return { kind: 'again', ms: await dryRun.report(record, decision, now) };
        const end = await this.#caller.carryOut(latest, record, decision, alarm);
        if (end.kind === 'wait') return { kind: 'again', ms: end.ms };
        continue;
      }
      // The warning is queued before the commit that records it: a second warning is better than none.
      if (decision.kind === 'warn') {
        await this.#options.warn(record, decision.of, decision.at);
        warned = true;
      }
      await latest.commit({ patch: this.#patchOf(record, decision, now), alarms: false });
    }
  }

  /** Returns the record to decide on. A dry run sends no warnings, also where they were switched on before it. */
  #decidedOn(record: SessionRecord): SessionRecord {
    return this.#options.dryRun ? { ...record, intake: withoutWarnings(record.intake) } : record;
  }

  #patchOf(record: SessionRecord, decision: Step, now: number): Patch {
    const { bounds } = this.#options;
    switch (decision.kind) {
      case 'warn':
        return decision.of === 'sleep' ? { warnedOf: decision.at } : { deleteWarnedOf: decision.at };
      case 'suspect':
        return verifyAfterDataLoss(record, now, bounds);
      case 'take-over':
        return takeOver(record, now, bounds);
    }
  }
}

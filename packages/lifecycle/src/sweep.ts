import {
  ALARM_NAMES,
  type AlarmClock,
  type AlarmName,
  alarmsOf,
  decide,
  type LiveReading,
  type RepairKind,
  type SessionStore,
  withoutWarnings,
} from '@sandman/core';
import type { Arming } from './arming.ts';
import type { DryRun } from './dry-run.ts';
import { LatestReading } from './latest-reading.ts';
import { PolicyUpgrade, type PolicyUpgradeOptions } from './policy-upgrade.ts';
import type { System } from './system.ts';

/** Sessions that a visit reads at most. With a visit every 5 s that makes 200 sessions per second and shard. */
const VISITED = 1_000;
/** Sessions that are read at once. A thousand would keep a worker busy for 100 ms, and alarms that ring meanwhile would wait. */
const PAGE = 50;
export const SWEEP_EVERY_MS = 5_000;
/** How long a fault must last to be repaired, in ms. An alarm that is being armed just now is not missing. */
const CONFIRM_MS = 5_000;
/** How much later than due an alarm may ring, in ms. Alarms that wait for the circuit breaker are not lost. */
const TOLERANCE_MS = 20_000;

/** What a visit repairs. */
export type AlarmFault = Exclude<RepairKind, 'unarmed'>;

export interface SweepOptions {
  readonly store: SessionStore;
  readonly policies: PolicyUpgradeOptions['policies'];
  /** The dry run, in which due alarms stay due, which is no fault; null: there is none. */
  readonly dryRun: Pick<DryRun, 'reportDue'> | null;
  readonly clock: AlarmClock;
  readonly arming: Arming;
  readonly system: System;
  readonly repaired: (fault: AlarmFault, uuid: string) => void;
  /** Called with each page of records that the sweep reads; the sweep does not wait for it. */
  readonly visited?: (readings: readonly LiveReading[]) => void;
}

/** Reads all records in turn, and arms anew where an alarm is missing or late. In normal operation it finds none. */
export class Sweep {
  readonly #options: SweepOptions;
  readonly #policies: PolicyUpgrade;
  /** Functions that end the waits of running visits. */
  readonly #waits = new Set<() => void>();
  #isStopped = false;

  constructor(options: SweepOptions) {
    this.#options = options;
    this.#policies = new PolicyUpgrade({ ...options, isDryRun: options.dryRun !== null });
  }

  /** Ends visits that wait to confirm a fault, so that the process need not wait for them when it stops. */
  stop(): void {
    this.#isStopped = true;
    for (const end of this.#waits) end();
  }

  /** Waits until a fault can be confirmed, or the sweep is stopped. */
  async #wait(): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = () => {
        this.#waits.delete(end);
        resolve();
      };
      this.#waits.add(end);
      this.#options.system.pause(CONFIRM_MS).then(end);
    });
  }

  /** Visits a shard once. Where a fault is suspected, the visit takes 5 s longer, to confirm it. */
  async visit(shard: number): Promise<void> {
    const { store, system, visited } = this.#options;
    const suspects: LiveReading[] = [];
    for (let seen = 0; seen < VISITED; seen += PAGE) {
      const askedAt = system.elapsed();
      const readings = await store.walk(shard, PAGE);
      await Promise.all(readings.map((reading) => this.#upgrade(reading, askedAt)));
      visited?.(readings);
      const faults = await Promise.all(readings.map((reading) => this.#faultOf(reading)));
      suspects.push(...readings.filter((_, i) => faults[i] !== null));
      if (readings.length < PAGE) break;
    }
    if (suspects.length === 0) return;
    if (!this.#isStopped) await this.#wait();
    // A later visit will find the fault again.
    if (this.#isStopped) return;
    // A session with a mark is still being armed, however long Redis or a paused process delays that.
    const marked = new Set(await store.marked(0));
    for (const { record: before } of suspects) {
      const { record, now } = await store.read(before.uuid);
      // If the record was written since, its writer arms it.
      if (record?.rev === before.rev && !marked.has(record.uuid)) await this.#repair({ record, now });
    }
  }

  /**
   * Applies a change of the policies in force to a session that no activity and no alarm has reached since the change. In a
   * conflict, the process that wrote in between applies it, or a later visit does. A dry run writes nothing and moves no alarm, so
   * it reports here what the change has made due.
   */
  async #upgrade(reading: LiveReading, askedAt: number): Promise<void> {
    const latest = new LatestReading(reading.record.uuid, this.#options);
    latest.take(reading, askedAt);
    const isChanged = await this.#policies.apply(latest, reading.record);
    if (isChanged && latest.record) await this.#options.dryRun?.reportDue(latest.record, latest.now());
  }

  async #repair(reading: LiveReading): Promise<void> {
    const { store, arming, repaired } = this.#options;
    const fault = await this.#faultOf(reading);
    if (!fault) return;
    const { record } = reading;
    const redrawn = await store.commit(record.uuid, record, { patch: {}, alarms: true });
    if (redrawn.kind !== 'committed') return;
    repaired(fault, record.uuid);
    await arming.arm(redrawn, record);
  }

  async #faultOf({ record, now }: LiveReading): Promise<AlarmFault | null> {
    // A late or missing warning is no fault: alarms that were set before warnings were switched on ring after it.
    const needed = alarmsOf({ ...record, intake: withoutWarnings(record.intake) }, now);
    if (needed.length === 0) return null;
    const { uuid, n } = record;
    // A handler does whatever the record needs, so any alarm of this number suffices, except a `delete` that rings after the
    // others: activity keeps moving it later.
    const names: readonly AlarmName[] = needed.every(({ name }) => name === 'delete')
      ? ALARM_NAMES
      : ALARM_NAMES.filter((name) => name !== 'delete');
    const rings = (await Promise.all(names.map((name) => this.#options.clock.rings({ name, uuid, n })))).filter((at) => at !== null);
    if (rings.length === 0) return 'missing';
    if (this.#options.dryRun) return null;
    const due = Math.min(...needed.filter(({ name }) => names.includes(name)).map(({ at }) => at));
    if (Math.min(...rings) <= Math.max(due, now) + TOLERANCE_MS) return null;
    return decide(record, now).kind === 'suspect' ? 'rewound' : 'late';
  }
}

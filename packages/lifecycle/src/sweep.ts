import {
  ALARM_NAMES,
  type AlarmClock,
  type AlarmName,
  alarmsOf,
  changePolicy,
  type LiveReading,
  look,
  type RepairKind,
  type SessionStore,
} from '@sandman/core';
import type { Arming } from './arming.ts';
import type { Policies } from './policies-in-use.ts';
import type { Surroundings } from './surroundings.ts';

/** Sessions a visit looks at, and how often a shard is visited: 200 sessions per second and shard. */
const VISITED = 1_000;
/** So many at once, for alarms that ring meanwhile must not wait: a thousand keep a worker busy for 100 ms. */
const PAGE = 50;
export const SWEEP_EVERY_MS = 5_000;
/** How long a fault must last to be one, in ms: what is being armed just now is not missing. */
const CONFIRM_MS = 5_000;
/** How much later than due an alarm may stand, in ms: work that waits for a circuit is not forgotten. */
const TOLERANCE_MS = 20_000;

/** What a visit repairs. */
export type Fault = Exclude<RepairKind, 'unarmed'>;

export interface SweepOptions {
  readonly store: SessionStore;
  readonly policies: Pick<Policies, 'successor' | 'rank'>;
  /** Where nothing may be done, what is due stands still, and is no fault. */
  readonly rehearses: boolean;
  readonly clock: AlarmClock;
  readonly arming: Arming;
  readonly surroundings: Surroundings;
  readonly repaired: (fault: Fault, uuid: string) => void;
  /** Shown all that it reads, page by page; it is not waited for. */
  readonly visited?: (readings: readonly LiveReading[]) => void;
}

/** Walks all records, steadily, and arms anew what has lost its alarm. It should never find one. */
export class Sweep {
  readonly #on: SweepOptions;
  /** End the waits of the visits that run. */
  readonly #waits = new Set<() => void>();
  #isStopped = false;

  constructor(options: SweepOptions) {
    this.#on = options;
  }

  /** Ends visits that wait for their second look: a process that is told to stop must not stay for them. */
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
      this.#on.surroundings.pause(CONFIRM_MS).then(end);
    });
  }

  /** One visit to a shard. Takes 5 s where something seems wrong, for a second look. */
  async visit(shard: number): Promise<void> {
    const { store, visited } = this.#on;
    const suspects: LiveReading[] = [];
    for (let seen = 0; seen < VISITED; seen += PAGE) {
      const readings = await store.walk(shard, PAGE);
      if (!this.#on.rehearses) await Promise.all(readings.map((reading) => this.#renew(reading)));
      visited?.(readings);
      const faults = await Promise.all(readings.map((reading) => this.#faultOf(reading)));
      suspects.push(...readings.filter((_, i) => faults[i] !== null));
      if (readings.length < PAGE) break;
    }
    if (suspects.length === 0) return;
    if (!this.#isStopped) await this.#wait();
    // A later visit looks again.
    if (this.#isStopped) return;
    // What a mark stands for is being armed, however long Redis or a pause may hold that up.
    const marked = new Set((await store.marked(0)).map(({ uuid }) => uuid));
    for (const { record: before } of suspects) {
      const { record, now } = await store.read(before.uuid);
      // Somebody has written since: whoever did sees to its alarms.
      if (record?.rev === before.rev && !marked.has(record.uuid)) await this.#repair({ record, now });
    }
  }

  /** A change of the policies in use, where nobody has come since and no alarm rung. */
  async #renew({ record, now }: LiveReading): Promise<void> {
    const successor = record.wanted === 'gone' ? null : this.#on.policies.successor(record);
    if (!successor) return;
    const renewed = await this.#on.store.commit(record.uuid, record, changePolicy(successor, this.#on.policies.rank, now));
    // Whoever came in between has taken it up.
    if (renewed.kind === 'committed') await this.#on.arming.arm(renewed, record);
  }

  async #repair(reading: LiveReading): Promise<void> {
    const { store, arming, repaired } = this.#on;
    const fault = await this.#faultOf(reading);
    if (!fault) return;
    const { record } = reading;
    const redrawn = await store.commit(record.uuid, record, { patch: {}, alarms: true });
    if (redrawn.kind !== 'committed') return;
    repaired(fault, record.uuid);
    await arming.arm(redrawn, record);
  }

  async #faultOf({ record, now }: LiveReading): Promise<Fault | null> {
    // A warning that comes late, or not at all, is no fault: alarms that were set before warnings were wanted stand past it.
    const needed = alarmsOf({ ...record, ingest: { ...record.ingest, warning: 0 } }, now);
    if (needed.length === 0) return null;
    const { uuid, n } = record;
    // A handler does whatever the record needs: any alarm of this number will do, but for the delete that stands behind
    // the others. Activity moves that out again and again.
    const names: readonly AlarmName[] = needed.every(({ name }) => name === 'delete')
      ? ALARM_NAMES
      : ALARM_NAMES.filter((name) => name !== 'delete');
    const rings = (await Promise.all(names.map((name) => this.#on.clock.rings({ name, uuid, n })))).filter((at) => at !== null);
    if (rings.length === 0) return 'missing';
    if (this.#on.rehearses) return null;
    const due = Math.min(...needed.filter(({ name }) => names.includes(name)).map(({ at }) => at));
    if (Math.min(...rings) <= Math.max(due, now) + TOLERANCE_MS) return null;
    return look(record, now).kind === 'suspect' ? 'rewound' : 'late';
  }
}

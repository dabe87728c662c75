import {
  type IdlePeriod,
  idleUntil,
  PERIOD_ITEMS,
  type PeriodTotals,
  type Policy,
  periodEnd,
  type SessionRecord,
  type ShadowTotals,
  tryPolicy,
} from '@sandman/core';
import { repeat, type System } from './system.ts';

/** How often sums are written, in ms. A process that is killed loses the sums of up to this time. */
const FLUSH_MS = 5_000;

/** Stores the sums of all processes. */
interface ShadowTotalsStore {
  add(sums: ReadonlyMap<string, ShadowTotals>): Promise<void>;
  /** Keeps the time (ms) of the last background signal before the policy would have put the pod to sleep; the first call counts. */
  noteIgnoredSignal(period: IdlePeriod, lastBackground: number): Promise<void>;
  /** Returns that time for each idle period; null where no background signal came after the policy's sleep. */
  lastCountedSignals(periods: readonly IdlePeriod[]): Promise<(number | null)[]>;
}

export interface ShadowPoliciesOptions {
  readonly policies: () => readonly Policy[];
  readonly totals: ShadowTotalsStore;
  readonly system: System;
  readonly failed: (error: unknown) => void;
}

interface EndedPeriod {
  readonly before: SessionRecord;
  readonly end: NonNullable<ReturnType<typeof periodEnd>>;
}

function periodOf({ name }: Policy, { uuid, lastActivity }: SessionRecord): IdlePeriod {
  return { policy: name, uuid, lastActivity };
}

function plus(sum: PeriodTotals | undefined, totals: PeriodTotals): PeriodTotals {
  return sum
    ? (Object.fromEntries(PERIOD_ITEMS.map((item) => [item, sum[item] + totals[item]])) as Record<keyof PeriodTotals, number>)
    : totals;
}

/** Counts what shadow policies would have done with the sessions that this process writes. Nothing acts on the counts. */
export class ShadowPolicies {
  readonly #options: ShadowPoliciesOptions;
  readonly #stop: () => Promise<void>;
  #sums = new Map<string, ShadowTotals>();
  /** Idle periods that ended and had background signals. For some policies, the later signals may not count. */
  #signalled: EndedPeriod[] = [];

  constructor(options: ShadowPoliciesOptions) {
    this.#options = options;
    this.#stop = repeat(options.system, FLUSH_MS, () => this.#flush(), options.failed);
  }

  /** Notes a write of a record. Runs with every ping, so it only adds sums. */
  written(former: () => SessionRecord, after: SessionRecord, now: number): void {
    const policies = this.#options.policies();
    if (policies.length === 0) return;
    const before = former();
    const end = periodEnd(before, after, now);
    if (end && before.lastBackground > before.lastActivity) this.#signalled.push({ before, end });
    else if (end) for (const policy of policies) this.#count(policy, before, before, end);
    else if (after.lastBackground > before.lastBackground)
      for (const policy of policies) this.#signal(policy, before, after.lastBackground);
  }

  #signal(policy: Policy, before: SessionRecord, at: number): void {
    const until = idleUntil(before, policy);
    if (until === null || at <= until) return;
    this.#options.totals.noteIgnoredSignal(periodOf(policy, before), before.lastBackground).catch(this.#options.failed);
  }

  /** @param underPolicy the record as it would be under the policy */
  #count(policy: Policy, before: SessionRecord, underPolicy: SessionRecord, { until, came }: EndedPeriod['end']): void {
    const sums = this.#sums.get(policy.name);
    const would = plus(sums?.would, tryPolicy(underPolicy, policy, until, came));
    this.#sums.set(policy.name, { would, was: plus(sums?.was, tryPolicy(before, before.policy, until, came)) });
  }

  async #flush(): Promise<void> {
    const policies = this.#options.policies();
    // The periods are taken out first: if a write fails they are lost, which is better than counting them twice.
    const signalled = this.#signalled.splice(0).flatMap(({ before, end }) => policies.map((policy) => ({ policy, before, end })));
    const lastCounted =
      signalled.length === 0
        ? []
        : await this.#options.totals.lastCountedSignals(signalled.map(({ policy, before }) => periodOf(policy, before)));
    signalled.forEach(({ policy, before, end }, i) => {
      this.#count(policy, before, { ...before, lastBackground: lastCounted[i] ?? before.lastBackground }, end);
    });
    if (this.#sums.size === 0) return;
    const sums = this.#sums;
    this.#sums = new Map();
    await this.#options.totals.add(sums);
  }

  /** Writes the remaining sums. */
  async close(): Promise<void> {
    await this.#stop();
    await this.#flush().catch(this.#options.failed);
  }
}

import { type CLOCKS, describePolicy, type Policy, REGRET_MS, type UsageEntry } from '@sandman/core';
import type { PodCall, SimulationObserver } from './session-simulator.ts';

/** What a policy would have cost and saved, in the form of the API's `/v1/savings`. */
export interface SimulationResult {
  readonly name: string;
  readonly policy: ReturnType<typeof describePolicy>;
  readonly alwaysOnSeconds: number;
  readonly awakeSeconds: number;
  readonly asleepSeconds: number;
  readonly savedFraction: number;
  readonly sleeps: number;
  readonly wakes: number;
  readonly deletes: number;
  readonly recreations: number;
  readonly regrets: number;
  /** The share of the users' returns that found the pod deleted, 0 to 1: recreations / (wakes + recreations). Null: no user returned. */
  readonly lostReturns: number | null;
}

type MeasuredState = (typeof CLOCKS)[number];

/** Sums up the usage of one policy up to `end` (ms since 1970): pods that still run then are counted until then. */
export class UsageCounter implements SimulationObserver {
  readonly #end: number;
  readonly #ms: Record<MeasuredState, number> = { awake: 0, asleep: 0, alwaysOn: 0 };
  readonly #counts = { sleeps: 0, wakes: 0, regrets: 0 };
  readonly #calls: Record<PodCall, number> = { create: 0, sleep: 0, wake: 0, delete: 0 };
  #pods = 0;

  constructor(end: number) {
    this.#end = end;
  }

  usageChanged(entries: readonly UsageEntry[], at: number): void {
    for (const entry of entries) {
      if ('by' in entry) {
        this.#ms[entry.item] += entry.by * (this.#end - at);
        if (entry.item === 'alwaysOn') this.#pods += entry.by;
      } else if (entry.item !== 'regrets' || at - (entry.since || at) <= REGRET_MS) {
        this.#counts[entry.item]++;
      }
    }
  }

  called(call: PodCall): void {
    this.#calls[call]++;
  }

  result(policy: Policy): SimulationResult {
    const { awake, asleep, alwaysOn } = this.#ms;
    const { wakes } = this.#counts;
    const recreations = this.#calls.create - this.#pods;
    return {
      name: policy.name,
      policy: describePolicy(policy),
      alwaysOnSeconds: alwaysOn / 1_000,
      awakeSeconds: awake / 1_000,
      asleepSeconds: asleep / 1_000,
      savedFraction: alwaysOn > 0 ? 1 - awake / alwaysOn : 0,
      sleeps: this.#counts.sleeps,
      wakes,
      deletes: this.#calls.delete,
      recreations,
      regrets: this.#counts.regrets,
      lostReturns: wakes + recreations > 0 ? recreations / (wakes + recreations) : null,
    };
  }
}

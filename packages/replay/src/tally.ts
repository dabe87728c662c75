import { type Booking, type CLOCKS, describePolicy, type Policy, REGRET_MS } from '@sandman/core';
import type { Observer, PodCall } from './life.ts';

/** What a policy would have cost and saved, in the form of the API's `/v1/savings`. */
export interface Result {
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
}

type Clock = (typeof CLOCKS)[number];

/** Sums up the usage of one policy up to `end` (ms since 1970): pods that still run then are counted until then. */
export class Tally implements Observer {
  readonly #end: number;
  readonly #ms: Record<Clock, number> = { awake: 0, asleep: 0, alwaysOn: 0 };
  readonly #counts = { sleeps: 0, wakes: 0, regrets: 0 };
  readonly #calls: Record<PodCall, number> = { create: 0, sleep: 0, wake: 0, delete: 0 };
  #pods = 0;

  constructor(end: number) {
    this.#end = end;
  }

  booked(bookings: readonly Booking[], at: number): void {
    for (const booking of bookings) {
      if ('by' in booking) {
        this.#ms[booking.item] += booking.by * (this.#end - at);
        if (booking.item === 'alwaysOn') this.#pods += booking.by;
      } else if (booking.item !== 'regrets' || at - (booking.since || at) <= REGRET_MS) {
        this.#counts[booking.item]++;
      }
    }
  }

  called(call: PodCall): void {
    this.#calls[call]++;
  }

  result(policy: Policy): Result {
    const { awake, asleep, alwaysOn } = this.#ms;
    return {
      name: policy.name,
      policy: describePolicy(policy),
      alwaysOnSeconds: alwaysOn / 1_000,
      awakeSeconds: awake / 1_000,
      asleepSeconds: asleep / 1_000,
      savedFraction: alwaysOn > 0 ? 1 - awake / alwaysOn : 0,
      sleeps: this.#counts.sleeps,
      wakes: this.#counts.wakes,
      deletes: this.#calls.delete,
      recreations: this.#calls.create - this.#pods,
      regrets: this.#counts.regrets,
    };
  }
}

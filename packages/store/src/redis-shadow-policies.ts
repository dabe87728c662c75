import { type IdlePeriod, PERIOD_ITEMS, type PeriodTotals, type ShadowTotals } from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import { Keyspace } from './keys.ts';

const SIDES = ['would', 'was'] as const satisfies (keyof ShadowTotals)[];

/** How long the signal before an ignored one is remembered, in s: longer than most background caps. */
const REMEMBERED_S = 7 * 86_400;

/** Keeps the totals of shadow policies, of all processes together. */
export class RedisShadowPolicies {
  readonly #redis: Redis | Cluster;
  readonly #key: string;

  constructor(redis: Redis | Cluster, prefix: string) {
    this.#redis = redis;
    this.#key = new Keyspace(prefix, 1).shards[0]!.shadowTotals;
  }

  async add(sums: ReadonlyMap<string, ShadowTotals>): Promise<void> {
    const all = [...sums].flatMap(([policy, totals]) =>
      SIDES.flatMap((side) => PERIOD_ITEMS.map((item) => ({ field: `${side} ${item} ${policy}`, by: totals[side][item] }))),
    );
    await Promise.all(all.filter(({ by }) => by > 0).map(({ field, by }) => this.#redis.hincrby(this.#key, field, by)));
  }

  async noteIgnoredSignal(period: IdlePeriod, lastBackground: number): Promise<void> {
    await this.#redis.set(this.#keyOf(period), lastBackground, 'EX', REMEMBERED_S, 'NX');
  }

  async lastCountedSignals(periods: readonly IdlePeriod[]): Promise<(number | null)[]> {
    const found = await Promise.all(periods.map((period) => this.#redis.get(this.#keyOf(period))));
    return found.map((text) => (text === null ? null : Number(text)));
  }

  #keyOf({ policy, uuid, lastActivity }: IdlePeriod): string {
    return `${this.#key}:${uuid}:${lastActivity}:${policy}`;
  }

  /** Returns the totals by name of the policy. */
  async read(): Promise<Map<string, ShadowTotals>> {
    const sums = await this.#redis.hgetall(this.#key);
    const names = new Set(Object.keys(sums).map((field) => field.split(' ')[2]!));
    const totals = (side: string, name: string) =>
      Object.fromEntries(PERIOD_ITEMS.map((item) => [item, Number(sums[`${side} ${item} ${name}`] ?? 0)])) as Record<
        keyof PeriodTotals,
        number
      >;
    return new Map([...names].map((name) => [name, { would: totals('would', name), was: totals('was', name) }]));
  }
}

import { SPELL_ITEMS, type Spell } from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import { Keyspace } from './keys.ts';

/** The two sides of a shadow policy's totals, over the same time of the same sessions. */
const SIDES = ['would', 'was'] as const;

/** Totals under a shadow policy (`would`), and under the sessions' own policies (`was`). Times in ms. */
export type ShadowBook = Readonly<Record<(typeof SIDES)[number], Spell>>;

/** How long the signal before an ignored one is remembered, in s: longer than most background caps. */
const KNOWN_S = 7 * 86_400;

interface ShadowTime {
  readonly policy: string;
  readonly uuid: string;
  readonly lastActivity: number;
}

/** Keeps the totals of shadow policies, of all processes together. */
export class RedisShadows {
  readonly #redis: Redis | Cluster;
  readonly #key: string;

  constructor(redis: Redis | Cluster, prefix: string) {
    this.#redis = redis;
    this.#key = new Keyspace(prefix, 1).shards[0]!.shadowBooks;
  }

  async add(books: ReadonlyMap<string, ShadowBook>): Promise<void> {
    const all = [...books].flatMap(([policy, book]) =>
      SIDES.flatMap((side) => SPELL_ITEMS.map((item) => ({ field: `${side} ${item} ${policy}`, by: book[side][item] }))),
    );
    await Promise.all(all.filter(({ by }) => by > 0).map(({ field, by }) => this.#redis.hincrby(this.#key, field, by)));
  }

  async deaf(time: ShadowTime, lastBackground: number): Promise<void> {
    await this.#redis.set(this.#keyOf(time), lastBackground, 'EX', KNOWN_S, 'NX');
  }

  async heard(times: readonly ShadowTime[]): Promise<(number | null)[]> {
    const found = await Promise.all(times.map((time) => this.#redis.get(this.#keyOf(time))));
    return found.map((text) => (text === null ? null : Number(text)));
  }

  #keyOf({ policy, uuid, lastActivity }: ShadowTime): string {
    return `${this.#key}:${uuid}:${lastActivity}:${policy}`;
  }

  /** Returns the totals by name of the policy. */
  async read(): Promise<Map<string, ShadowBook>> {
    const sums = await this.#redis.hgetall(this.#key);
    const names = new Set(Object.keys(sums).map((field) => field.split(' ')[2]!));
    const spell = (side: string, name: string) =>
      Object.fromEntries(SPELL_ITEMS.map((item) => [item, Number(sums[`${side} ${item} ${name}`] ?? 0)])) as Record<keyof Spell, number>;
    return new Map([...names].map((name) => [name, { would: spell('would', name), was: spell('was', name) }]));
  }
}

import { idleUntil, type Policy, type SessionRecord, SPELL_ITEMS, type Spell, spellEnd, tryPolicy } from '@sandman/core';
import { repeat, type Surroundings } from './surroundings.ts';

/** How often sums are written, in ms. A process that is killed loses the sums of up to this time. */
const FLUSH_MS = 5_000;

/** Totals of the same idle periods: under a shadow policy (`would`), and under the sessions' own policies (`was`). */
export interface ShadowSums {
  readonly would: Spell;
  readonly was: Spell;
}

/** An idle period of a session since `lastActivity` (ms), under a policy. */
export interface ShadowTime {
  readonly policy: string;
  readonly uuid: string;
  readonly lastActivity: number;
}

/** Stores the sums of all processes. */
interface ShadowBooks {
  add(sums: ReadonlyMap<string, ShadowSums>): Promise<void>;
  /** Keeps the time (ms) of the last background signal before the policy would have put the pod to sleep; the first call counts. */
  deaf(time: ShadowTime, lastBackground: number): Promise<void>;
  /** Returns that time for each idle period; null where no background signal came after the policy's sleep. */
  heard(times: readonly ShadowTime[]): Promise<(number | null)[]>;
}

export interface ShadowsOptions {
  readonly policies: () => readonly Policy[];
  readonly books: ShadowBooks;
  readonly surroundings: Surroundings;
  readonly failed: (error: unknown) => void;
}

interface Ended {
  readonly before: SessionRecord;
  readonly end: NonNullable<ReturnType<typeof spellEnd>>;
}

function timeOf({ name }: Policy, { uuid, lastActivity }: SessionRecord): ShadowTime {
  return { policy: name, uuid, lastActivity };
}

function plus(sum: Spell | undefined, spell: Spell): Spell {
  return sum ? (Object.fromEntries(SPELL_ITEMS.map((item) => [item, sum[item] + spell[item]])) as Record<keyof Spell, number>) : spell;
}

/** Counts what shadow policies would have done with the sessions that this process writes. Nothing acts on the counts. */
export class Shadows {
  readonly #on: ShadowsOptions;
  readonly #stop: () => Promise<void>;
  #sums = new Map<string, ShadowSums>();
  /** Idle periods that ended and had background signals. For some policies, the later signals may not count. */
  #signalled: Ended[] = [];

  constructor(options: ShadowsOptions) {
    this.#on = options;
    this.#stop = repeat(options.surroundings, FLUSH_MS, () => this.#flush(), options.failed);
  }

  /** Notes a write of a record. Runs with every ping, so it only adds sums. */
  written(former: () => SessionRecord, after: SessionRecord, now: number): void {
    const policies = this.#on.policies();
    if (policies.length === 0) return;
    const before = former();
    const end = spellEnd(before, after, now);
    if (end && before.lastBackground > before.lastActivity) this.#signalled.push({ before, end });
    else if (end) for (const policy of policies) this.#count(policy, before, before, end);
    else if (after.lastBackground > before.lastBackground)
      for (const policy of policies) this.#signal(policy, before, after.lastBackground);
  }

  #signal(policy: Policy, before: SessionRecord, at: number): void {
    const until = idleUntil(before, policy);
    if (until === null || at <= until) return;
    this.#on.books.deaf(timeOf(policy, before), before.lastBackground).catch(this.#on.failed);
  }

  /** @param heard the record as it would be under the policy */
  #count(policy: Policy, before: SessionRecord, heard: SessionRecord, { until, came }: Ended['end']): void {
    const sums = this.#sums.get(policy.name);
    const would = plus(sums?.would, tryPolicy(heard, policy, until, came));
    this.#sums.set(policy.name, { would, was: plus(sums?.was, tryPolicy(before, before.policy, until, came)) });
  }

  async #flush(): Promise<void> {
    const policies = this.#on.policies();
    // The periods are taken out first: if a write fails they are lost, which is better than counting them twice.
    const signalled = this.#signalled.splice(0).flatMap(({ before, end }) => policies.map((policy) => ({ policy, before, end })));
    const heard = signalled.length === 0 ? [] : await this.#on.books.heard(signalled.map(({ policy, before }) => timeOf(policy, before)));
    signalled.forEach(({ policy, before, end }, i) => {
      this.#count(policy, before, { ...before, lastBackground: heard[i] ?? before.lastBackground }, end);
    });
    if (this.#sums.size === 0) return;
    const sums = this.#sums;
    this.#sums = new Map();
    await this.#on.books.add(sums);
  }

  /** Writes the remaining sums. */
  async close(): Promise<void> {
    await this.#stop();
    await this.#flush().catch(this.#on.failed);
  }
}

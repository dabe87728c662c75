import { idleUntil, type Policy, type SessionRecord, SPELL_ITEMS, type Spell, spellEnd, tryPolicy } from '@sandman/core';
import { repeat, type Surroundings } from './surroundings.ts';

/** How often sums are handed over, in ms: so much is lost when a process is killed. */
const FLUSH_MS = 5_000;

/** What a policy would have done, and beside it what the sessions' own have, of the same time. */
export interface ShadowSums {
  readonly would: Spell;
  readonly was: Spell;
}

/** A session's time since `lastActivity` (ms) under a policy. */
export interface ShadowTime {
  readonly policy: string;
  readonly uuid: string;
  readonly lastActivity: number;
}

/** Where what all processes count comes together. */
interface ShadowBooks {
  add(sums: ReadonlyMap<string, ShadowSums>): Promise<void>;
  /** The last background signal (ms) before the policy's pod would have slept, unless that is known already. */
  deaf(time: ShadowTime, lastBackground: number): Promise<void>;
  /** Of each: that signal; null where none came later. */
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

/** Counts what shadow policies would have done with the sessions that this process writes. Nothing acts on it. */
export class Shadows {
  readonly #on: ShadowsOptions;
  readonly #stop: () => Promise<void>;
  #sums = new Map<string, ShadowSums>();
  /** Times that ended, in which there were background signals: for some policies the later ones may not count. */
  #signalled: Ended[] = [];

  constructor(options: ShadowsOptions) {
    this.#on = options;
    this.#stop = repeat(options.surroundings, FLUSH_MS, () => this.#flush(), options.failed);
  }

  /** On a ping's way: no more than sums. */
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

  /** @param heard as it would stand under the policy */
  #count(policy: Policy, before: SessionRecord, heard: SessionRecord, { until, came }: Ended['end']): void {
    const sums = this.#sums.get(policy.name);
    const would = plus(sums?.would, tryPolicy(heard, policy, until, came));
    this.#sums.set(policy.name, { would, was: plus(sums?.was, tryPolicy(before, before.policy, until, came)) });
  }

  async #flush(): Promise<void> {
    const policies = this.#on.policies();
    // Taken out first: where something fails it is lost, as added twice it would be worse.
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

  /** Hands over what is left. */
  async close(): Promise<void> {
    await this.#stop();
    await this.#flush().catch(this.#on.failed);
  }
}

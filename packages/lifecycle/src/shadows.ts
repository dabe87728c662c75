import { type Policy, type SessionRecord, SPELL_ITEMS, type Spell, spellEnd, tryPolicy } from '@sandman/core';
import { repeat, type Surroundings } from './surroundings.ts';

/** How often sums are handed over, in ms: so much is lost when a process is killed. */
const FLUSH_MS = 5_000;

/** What a policy would have done, and beside it what the sessions' own have, of the same time. */
export interface ShadowSums {
  readonly would: Spell;
  readonly was: Spell;
}

export interface ShadowsOptions {
  readonly policies: () => readonly Policy[];
  /** Where sums of all processes come together. */
  readonly books: { add(sums: ReadonlyMap<string, ShadowSums>): Promise<void> };
  readonly surroundings: Surroundings;
  readonly failed: (error: unknown) => void;
}

function plus(sum: Spell | undefined, spell: Spell): Spell {
  return sum ? (Object.fromEntries(SPELL_ITEMS.map((item) => [item, sum[item] + spell[item]])) as Record<keyof Spell, number>) : spell;
}

/** Counts what shadow policies would have done with the sessions that this process writes. Nothing acts on it. */
export class Shadows {
  readonly #on: ShadowsOptions;
  readonly #stop: () => Promise<void>;
  #sums = new Map<string, ShadowSums>();

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
    if (!end) return;
    const was = tryPolicy(before, before.policy, end.until, end.came);
    for (const policy of policies) {
      const would = tryPolicy(before, policy, end.until, end.came);
      const sums = this.#sums.get(policy.name);
      this.#sums.set(policy.name, { would: plus(sums?.would, would), was: plus(sums?.was, was) });
    }
  }

  async #flush(): Promise<void> {
    if (this.#sums.size === 0) return;
    const sums = this.#sums;
    this.#sums = new Map();
    // Where that fails they are lost: added twice would be worse.
    await this.#on.books.add(sums);
  }

  /** Hands over what is left. */
  async close(): Promise<void> {
    await this.#stop();
    await this.#flush().catch(this.#on.failed);
  }
}

import {
  type Agreed,
  describePolicy,
  type PoliciesInForce,
  type Policy,
  type PolicyAgreement,
  PolicyBook,
  rankOf,
  type SessionRecord,
  type ToldPolicies,
} from '@sandman/core';
import { repeat, type Surroundings } from './surroundings.ts';

/** How often a process announces what it was told, and hears what is in force, in ms: so long may two versions be in use at once. */
const AGREE_EVERY_MS = 1_000;
/** How soon it tries again while it has never been heard, in ms: a connection takes a moment. */
const FIRST_MS = 50;
/** How often, until that is worth telling. */
const FIRST_TRIES = 20;

/** Where a session gets its policy from. */
export interface Policies {
  /** The policy of whoever names none. */
  readonly default: Policy;
  /** Of the policies in force, as far as this process has heard of them ({@link rankOf}); 0: of none. */
  readonly rank: number;
  /** What a session's policy has become; null: it is as it was, or was taken from newer policies than this process has heard of. */
  successor(session: Pick<SessionRecord, 'policy' | 'policyRank'>): Policy | null;
}

/** For whoever does something by hand: sessions keep the policies that they have. */
export function unchanging(standard: Policy): Policies {
  return { default: standard, rank: 0, successor: () => null };
}

export interface PoliciesInUseOptions {
  /** What this process was told: `POLICIES` and `DEFAULT_POLICY`. */
  readonly own: PolicyBook;
  /** Whether others are to hear of it. */
  readonly says: boolean;
  /** `POLICIES_VERSION` */
  readonly version: number;
  /** `SHADOW_POLICIES`; none for those who are not told of it. */
  readonly shadows: readonly string[];
  readonly agreement: PolicyAgreement;
  readonly surroundings: Surroundings;
  /** Told when other policies are in use from now on, and of what version. */
  readonly changed: (version: number) => void;
  /** Told when this process was told other policies than those in force, of this version: it must be exceeded for them to be used. */
  readonly overruled: (version: number) => void;
  /** Told once of each time that nothing is heard, and of policies that cannot be read. */
  readonly failed: (error: unknown) => void;
}

/**
 * The policies in force, as all processes have agreed. Until they are heard, and where no process announced any, sessions
 * keep the policies that they have, and new ones get this process's own.
 */
export class PoliciesInUse implements Policies {
  readonly #on: PoliciesInUseOptions;
  readonly #told: ToldPolicies | null;
  readonly #stop: () => Promise<void>;
  #book: PolicyBook;
  #text: string | null;
  #shadows: readonly Policy[] = [];
  /** Of two that were told different things under one version, the one that was started last is right. */
  #claims = true;
  #answered = false;
  #inForce: PoliciesInForce | null = null;
  /** Whether what is in force could be read. What cannot changes no session, and new ones get what was in use before. */
  #isReadable = false;
  /** In a row. */
  #failures = 0;

  constructor(options: PoliciesInUseOptions) {
    const { own, says, version, surroundings, failed } = options;
    this.#on = options;
    const text = JSON.stringify(own.further);
    // Whoever was told nothing has nothing to say.
    this.#told = !says || (version === 0 && text === '{}') ? null : { version, text };
    this.#book = own;
    this.#text = this.#told && text;
    this.#stop = repeat(surroundings, AGREE_EVERY_MS, () => this.#agree(), failed);
  }

  get book(): PolicyBook {
    return this.#book;
  }

  get default(): Policy {
    return this.#book.default;
  }

  get rank(): number {
    return this.#inForce && this.#isReadable ? rankOf(this.#inForce) : 0;
  }

  successor({ policy, policyRank }: Pick<SessionRecord, 'policy' | 'policyRank'>): Policy | null {
    return policyRank < this.rank ? this.#book.successor(policy) : null;
  }

  /** Those that are tried beside the real ones. */
  get shadows(): readonly Policy[] {
    return this.#shadows;
  }

  /** The names of the policies in force, as sessions and shadows may have them. */
  get named(): { readonly names: readonly string[]; readonly shadows: readonly string[] } {
    return { names: this.#book.names(), shadows: this.#shadows.map(({ name }) => name) };
  }

  async #agree(): Promise<number | undefined> {
    const { agreement, shadows, failed } = this.#on;
    let agreed: Agreed;
    try {
      agreed = await agreement.agree(this.#told, this.#claims, this.#inForce, shadows);
    } catch (error) {
      this.#failures++;
      if (this.#failures === (this.#answered ? 1 : FIRST_TRIES)) failed(error);
      return this.#answered ? undefined : FIRST_MS;
    }
    this.#answered = true;
    this.#failures = 0;
    this.#claims = false;
    if (agreed.policies) this.#follow(agreed.policies);
    this.#shadows = agreed.shadows.flatMap((name) => this.#book.get(name) ?? []);
    return;
  }

  #follow(policies: PoliciesInForce): void {
    const { own, changed, overruled, failed } = this.#on;
    const isNew = policies.text !== this.#inForce?.text;
    this.#inForce = policies;
    if (!isNew) return;
    const isOwn = policies.text === this.#told?.text;
    if (this.#told && !isOwn) overruled(policies.version);
    try {
      this.#book = isOwn ? own : this.#bookOf(policies.text);
      this.#isReadable = true;
      if (policies.text !== this.#text) changed(policies.version);
      this.#text = policies.text;
    } catch (error) {
      this.#isReadable = false;
      failed(error);
    }
  }

  /** Others' policies; where they do not know this process's default, it stays what it is here. */
  #bookOf(text: string): PolicyBook {
    const { name, ...standard } = describePolicy(this.#on.own.default);
    const theirs = JSON.parse(text) as Record<string, unknown>;
    const known = new PolicyBook(theirs).get(name) ? {} : { [name]: standard };
    return new PolicyBook({ ...known, ...theirs }, name);
  }

  close(): Promise<void> {
    return this.#stop();
  }
}

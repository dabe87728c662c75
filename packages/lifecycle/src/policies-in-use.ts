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

/**
 * How often a process announces its policies and receives those in force, in ms. For that long, two versions may be in use
 * at once.
 */
const AGREE_EVERY_MS = 1_000;
/** How soon a process tries again before its first success, in ms, because a connection takes a moment. */
const FIRST_MS = 50;
/** How many of these tries may fail before the failure is reported. */
const FIRST_TRIES = 20;

/** Says which policy a session has. */
export interface Policies {
  /** The policy of a new session for which the caller names none. */
  readonly default: Policy;
  /** Rank ({@link rankOf}) of the policies in force that this process last received; 0: none. */
  readonly rank: number;
  /**
   * Returns the policy that replaces a session's; null where its values are the same, or where it was taken from policies
   * that are as new as those which this process has received, or newer.
   */
  successor(session: Pick<SessionRecord, 'policy' | 'policyRank'>): Policy | null;
}

/** Returns policies under which sessions keep the policies that they have, for changes by hand. */
export function unchanging(standard: Policy): Policies {
  return { default: standard, rank: 0, successor: () => null };
}

export interface PoliciesInUseOptions {
  /** The policies of this process's environment: `POLICIES` and `DEFAULT_POLICY`. */
  readonly own: PolicyBook;
  /** Whether to announce these policies to other processes. */
  readonly says: boolean;
  /** `POLICIES_VERSION` */
  readonly version: number;
  /** `SHADOW_POLICIES`; empty in a process that does not read it. */
  readonly shadows: readonly string[];
  readonly agreement: PolicyAgreement;
  readonly surroundings: Surroundings;
  /** Called when other policies are in use from now on, with their version. */
  readonly changed: (version: number) => void;
  /** Called when the policies in force differ from this process's own, which need a higher version than this to be used. */
  readonly overruled: (version: number) => void;
  /** Called once for each period without an answer, and for policies that cannot be parsed. */
  readonly failed: (error: unknown) => void;
}

/**
 * Holds the policies in force, on which all processes have agreed. Until they are received, and where no process announced
 * any, sessions keep the policies that they have, and new ones get this process's own.
 */
export class PoliciesInUse implements Policies {
  readonly #on: PoliciesInUseOptions;
  readonly #told: ToldPolicies | null;
  readonly #stop: () => Promise<void>;
  #book: PolicyBook;
  #text: string | null;
  #shadows: readonly Policy[] = [];
  /** Whether to replace other policies of the same version: in a process's first announcement, so the latest started wins. */
  #claims = true;
  #answered = false;
  #inForce: PoliciesInForce | null = null;
  /** Whether the policies in force could be parsed. If not, they change no session, and new sessions get those in use before. */
  #isReadable = false;
  /** Failed announcements in a row. */
  #failures = 0;

  constructor(options: PoliciesInUseOptions) {
    const { own, says, version, surroundings, failed } = options;
    this.#on = options;
    const text = JSON.stringify(own.further);
    // A process without `POLICIES` and `POLICIES_VERSION` announces nothing and follows the others.
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

  /** The shadow policies. */
  get shadows(): readonly Policy[] {
    return this.#shadows;
  }

  /** The names that sessions' policies may have, and those of the shadow policies. */
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

  /** Reads policies that another process announced. If they lack this process's default policy, that is added. */
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

import {
  type AgreedPolicies,
  type AnnouncedPolicies,
  describePolicy,
  type PoliciesInForce,
  type Policy,
  type PolicyAgreement,
  PolicySet,
  rankOf,
  type SessionRecord,
} from '@sandman/core';
import { type RoundEnd, repeat, type System } from './system.ts';

/**
 * How often a process announces its policies and receives those in force, in ms. For that long, two versions may be in use
 * at once.
 */
const AGREE_EVERY_MS = 1_000;
/** How soon a process tries again before its first success, in ms, because a connection takes a moment. */
const FIRST_RETRY_MS = 50;
/** How long {@link SharedPoliciesOptions.beforeUse} may delay the use of new policies, in ms. */
const BEFORE_USE_MS = 5_000;
/** How many of these tries may fail before the failure is reported. */
const FIRST_TRIES = 20;

/** Says which policy a session has. */
export interface PolicySource {
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
export function unchanging(standard: Policy): PolicySource {
  return { default: standard, rank: 0, successor: () => null };
}

/** Policies that a process is about to use. */
export interface NextPolicies extends Pick<PolicySource, 'rank' | 'successor'> {
  readonly version: number;
}

export interface SharedPoliciesOptions {
  /** The policies of this process's environment: `POLICIES` and `DEFAULT_POLICY`. */
  readonly own: PolicySet;
  /** Whether to announce these policies to other processes. */
  readonly announces: boolean;
  /** `POLICIES_VERSION` */
  readonly version: number;
  /** `SHADOW_POLICIES`; empty in a process that does not read it. */
  readonly shadows: readonly string[];
  readonly agreement: PolicyAgreement;
  readonly system: System;
  /** Called with policies that are new in force, before this process uses them. It waits for this for at most 5 s. */
  readonly beforeUse?: (next: NextPolicies) => Promise<void>;
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
export class SharedPolicies implements PolicySource {
  readonly #options: SharedPoliciesOptions;
  readonly #announced: AnnouncedPolicies | null;
  readonly #stop: () => Promise<void>;
  #current: PolicySet;
  #text: string | null;
  #shadows: readonly Policy[] = [];
  /** Whether to replace other policies of the same version: in a process's first announcement, so the latest started wins. */
  #replaces = true;
  #answered = false;
  #inForce: PoliciesInForce | null = null;
  /** Whether the policies in force could be parsed. If not, they change no session, and new sessions get those in use before. */
  #isReadable = false;
  /** Failed announcements in a row. */
  #failures = 0;

  constructor(options: SharedPoliciesOptions) {
    const { own, announces, version, system, failed } = options;
    this.#options = options;
    const text = JSON.stringify(own.further);
    // A process without `POLICIES` and `POLICIES_VERSION` announces nothing and follows the others.
    this.#announced = !announces || (version === 0 && text === '{}') ? null : { version, text };
    this.#current = own;
    this.#text = this.#announced && text;
    this.#stop = repeat(system, AGREE_EVERY_MS, () => this.#agree(), failed);
  }

  get current(): PolicySet {
    return this.#current;
  }

  get default(): Policy {
    return this.#current.default;
  }

  get rank(): number {
    return this.#inForce && this.#isReadable ? rankOf(this.#inForce) : 0;
  }

  successor({ policy, policyRank }: Pick<SessionRecord, 'policy' | 'policyRank'>): Policy | null {
    return policyRank < this.rank ? this.#current.successor(policy) : null;
  }

  /** The shadow policies. */
  get shadows(): readonly Policy[] {
    return this.#shadows;
  }

  /** The names that sessions' policies may have, and those of the shadow policies. */
  get named(): { readonly names: readonly string[]; readonly shadows: readonly string[] } {
    return { names: this.#current.names(), shadows: this.#shadows.map(({ name }) => name) };
  }

  async #agree(): Promise<RoundEnd> {
    const { agreement, shadows, failed } = this.#options;
    let agreed: AgreedPolicies;
    try {
      agreed = await agreement.agree(this.#announced, this.#replaces, this.#inForce, shadows);
    } catch (error) {
      this.#failures++;
      if (this.#failures === (this.#answered ? 1 : FIRST_TRIES)) failed(error);
      return this.#answered ? undefined : { again: FIRST_RETRY_MS };
    }
    this.#answered = true;
    this.#failures = 0;
    this.#replaces = false;
    if (agreed.policies) await this.#follow(agreed.policies);
    this.#shadows = agreed.shadows.flatMap((name) => this.#current.get(name) ?? []);
  }

  async #follow(policies: PoliciesInForce): Promise<void> {
    const { own, changed, overruled, failed } = this.#options;
    const isNew = policies.text !== this.#inForce?.text;
    const isOwn = policies.text === this.#announced?.text;
    if (isNew && this.#announced && !isOwn) overruled(policies.version);
    try {
      if (isNew) {
        const next = isOwn ? own : this.#parse(policies.text);
        await this.#prepare(next, policies);
        this.#current = next;
        this.#isReadable = true;
        if (policies.text !== this.#text) changed(policies.version);
        this.#text = policies.text;
      }
    } catch (error) {
      this.#isReadable = false;
      failed(error);
    }
    this.#inForce = policies;
  }

  async #prepare(next: PolicySet, policies: PoliciesInForce): Promise<void> {
    const { beforeUse, system, failed } = this.#options;
    const rank = rankOf(policies);
    const successor: PolicySource['successor'] = ({ policy, policyRank }) => (policyRank < rank ? next.successor(policy) : null);
    const prepared = beforeUse?.({ version: policies.version, rank, successor }).catch(failed);
    if (prepared) await Promise.race([prepared, system.pause(BEFORE_USE_MS)]);
  }

  /** Reads policies that another process announced. If they lack this process's default policy, that is added. */
  #parse(text: string): PolicySet {
    const { name, ...standard } = describePolicy(this.#options.own.default);
    const theirs = JSON.parse(text) as Record<string, unknown>;
    const known = new PolicySet(theirs).get(name) ? {} : { [name]: standard };
    return new PolicySet({ ...known, ...theirs }, name);
  }

  close(): Promise<void> {
    return this.#stop();
  }
}

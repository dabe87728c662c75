import type { AgreedPolicies, AnnouncedPolicies, PoliciesInForce, PolicyAgreement } from '@sandman/core';
import type { Command } from './redis.ts';

/** What Redis keeps of the policies in force; replaced, never changed, so that a reference is a snapshot. */
export interface PolicyState {
  readonly inForce: PoliciesInForce | null;
  /** Every text that was in force under this version. */
  readonly texts: ReadonlySet<string>;
}

export const NO_POLICIES: PolicyState = { inForce: null, texts: new Set() };

/** Applies an announcement as agree-on-policies.lua does. `conformance.test.ts` compares the two. */
function applyAnnouncement(
  state: PolicyState,
  announced: AnnouncedPolicies | null,
  replaces: boolean,
  lastReceived: PoliciesInForce | null,
): PolicyState {
  let { inForce, texts } = state;
  const put = (policies: PoliciesInForce) => {
    texts = new Set(inForce?.version === policies.version ? [...texts, policies.text] : [policies.text]);
    inForce = policies;
  };
  const version = () => inForce?.version ?? -1;
  const edition = () => inForce?.edition ?? 1;
  if (lastReceived && (lastReceived.version > version() || (lastReceived.version === version() && lastReceived.edition > edition())))
    put({ ...lastReceived });
  if (announced && announced.version > version()) put({ ...announced, edition: 1 });
  else if (announced && announced.version === version() && replaces && !texts.has(announced.text))
    put({ ...announced, edition: edition() + 1 });
  return { inForce, texts };
}

/** Keeps the policies in force in memory, on which the processes agree. */
export class MemoryPolicies implements PolicyAgreement {
  readonly #holder: () => { policies: PolicyState };
  readonly #command: Command;

  /** @param holder returns what holds the policies, as Redis does; a failover replaces it */
  constructor(holder: () => { policies: PolicyState }, command: Command) {
    this.#holder = holder;
    this.#command = command;
  }

  agree(announced: AnnouncedPolicies | null, replaces: boolean, lastReceived: PoliciesInForce | null): Promise<AgreedPolicies> {
    return this.#command(() => {
      const holder = this.#holder();
      holder.policies = applyAnnouncement(holder.policies, announced, replaces, lastReceived);
      return { policies: holder.policies.inForce, shadows: [] };
    });
  }
}

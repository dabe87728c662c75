import type { Agreed, PoliciesInForce, PolicyAgreement, ToldPolicies } from '@sandman/core';
import type { Command } from './redis.ts';

/** What Redis keeps of the policies in force; replaced, never changed, so that a reference is a snapshot. */
export interface PolicyState {
  readonly inForce: PoliciesInForce | null;
  /** Every text that was in force under this version. */
  readonly texts: ReadonlySet<string>;
}

export const NO_POLICIES: PolicyState = { inForce: null, texts: new Set() };

/** Applies an announcement as agree.lua does. `conformance.test.ts` compares the two. */
function announced(state: PolicyState, told: ToldPolicies | null, claim: boolean, heard: PoliciesInForce | null): PolicyState {
  let { inForce, texts } = state;
  const put = (policies: PoliciesInForce) => {
    texts = new Set(inForce?.version === policies.version ? [...texts, policies.text] : [policies.text]);
    inForce = policies;
  };
  const version = () => inForce?.version ?? -1;
  const edition = () => inForce?.edition ?? 1;
  if (heard && (heard.version > version() || (heard.version === version() && heard.edition > edition()))) put({ ...heard });
  if (told && told.version > version()) put({ ...told, edition: 1 });
  else if (told && told.version === version() && claim && !texts.has(told.text)) put({ ...told, edition: edition() + 1 });
  return { inForce, texts };
}

/** Keeps the policies in force in memory, on which the processes agree. */
export class MemoryPolicies implements PolicyAgreement {
  readonly #place: { policies: PolicyState };
  readonly #command: Command;

  /** @param place holds the policies, as Redis does */
  constructor(place: { policies: PolicyState }, command: Command) {
    this.#place = place;
    this.#command = command;
  }

  agree(told: ToldPolicies | null, claim: boolean, heard: PoliciesInForce | null): Promise<Agreed> {
    return this.#command(() => {
      this.#place.policies = announced(this.#place.policies, told, claim, heard);
      return { policies: this.#place.policies.inForce, shadows: [] };
    });
  }
}

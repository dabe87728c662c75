import type { LiveStatus } from '@sandman/core';

/** What became of the ledger's sessions. */
export class Tally {
  /** By the status that they came back with. */
  readonly restored: Record<LiveStatus, number> = { active: 0, 'falling-asleep': 0, sleeping: 0, waking: 0, deleting: 0 };
  /** Left alone: deleted before, or in Redis already. */
  readonly skipped = { deleted: 0, inRedis: 0 };
  /** Their pods are no more. */
  readonly gone: string[] = [];
  /** Restored, though their pods' status could not be read. */
  readonly unread: string[] = [];
  /** Given the default policy in place of one that nobody knows, by its name. */
  readonly unknownPolicies: Record<string, number> = {};
  readonly failed: { readonly uuid: string; readonly error: string }[] = [];

  /** @param policy as the ledger has it; empty where it has none */
  withoutPolicy(policy: string | object): void {
    const name = typeof policy === 'string' ? policy || '(none)' : JSON.stringify(policy);
    this.unknownPolicies[name] = (this.unknownPolicies[name] ?? 0) + 1;
  }

  get sum(): number {
    return Object.values(this.restored).reduce((sum, count) => sum + count, 0);
  }

  /** All that were looked at and are not known to be deleted. */
  get seen(): number {
    return this.sum + this.skipped.inRedis + this.gone.length + this.failed.length;
  }
}

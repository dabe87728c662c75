import type { LiveStatus } from '@sandman/core';

/** Counts what a restore did with the sessions of the ledger. */
export class RestoreCounts {
  /** Restored sessions by their new status. */
  readonly restored: Record<LiveStatus, number> = { active: 0, 'falling-asleep': 0, sleeping: 0, waking: 0, deleting: 0 };
  /** Sessions left alone: already deleted, or already in Redis. */
  readonly skipped = { deleted: 0, inRedis: 0 };
  /** Sessions whose pods are gone. */
  readonly gone: string[] = [];
  /** Sessions restored although their pods' status could not be read. */
  readonly unread: string[] = [];
  /** How many sessions got the default policy, by the name of the policy that no longer exists. */
  readonly unknownPolicies: Record<string, number> = {};
  readonly failed: { readonly uuid: string; readonly error: string }[] = [];

  /** Counts a session that got the default policy. @param policy as in the ledger; empty if it has none */
  withoutPolicy(policy: string | object): void {
    const name = typeof policy === 'string' ? policy || '(none)' : JSON.stringify(policy);
    this.unknownPolicies[name] = (this.unknownPolicies[name] ?? 0) + 1;
  }

  get sum(): number {
    return Object.values(this.restored).reduce((sum, count) => sum + count, 0);
  }

  /** How many sessions were handled, without those that the ledger has as deleted. */
  get seen(): number {
    return this.sum + this.skipped.inRedis + this.gone.length + this.failed.length;
  }
}

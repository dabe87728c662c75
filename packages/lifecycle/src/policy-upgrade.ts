import { type AlarmName, changePolicy, type RequestEffect, type SessionRecord } from '@sandman/core';
import type { Arming } from './arming.ts';
import type { LatestReading } from './latest-reading.ts';
import type { PolicySource } from './shared-policies.ts';

export interface PolicyUpgradeOptions {
  readonly policies: Pick<PolicySource, 'successor' | 'rank'>;
  readonly arming: Arming;
  /** Whether nothing is written: records only look as if they had been changed. */
  readonly isDryRun: boolean;
}

/** Applies changes of the policies in force to sessions. */
export class PolicyUpgrade {
  readonly #options: PolicyUpgradeOptions;
  /** In a dry run: the rank of the policies that changed a session last, and when they first did, in ms. */
  #upgraded = { rank: 0, at: 0 };

  constructor(options: PolicyUpgradeOptions) {
    this.#options = options;
  }

  /** Returns what the policies in force change in a record; null: nothing. */
  effectOn(record: SessionRecord, now: number): RequestEffect | null {
    const { policies } = this.#options;
    const successor = record.wanted === 'gone' ? null : policies.successor(record);
    return successor && changePolicy(record, successor, policies.rank, now);
  }

  /**
   * Writes what the policies in force change in the record, and arms the new alarms. In a conflict it writes nothing.
   *
   * @param ringing the alarm that rings now
   * @returns false where there is nothing to change
   */
  async apply(latest: LatestReading, record: SessionRecord, ringing?: AlarmName): Promise<boolean> {
    const { arming, isDryRun } = this.#options;
    const effect = this.effectOn(record, isDryRun ? this.#firstUpgradeAt(latest.now()) : latest.now());
    if (!effect) return false;
    if (isDryRun) latest.record = { ...record, ...effect.patch };
    else {
      const changed = await latest.commit(effect);
      if (changed.kind === 'committed') await arming.arm(changed, record, ringing);
    }
    return true;
  }

  /**
   * Returns when these policies first changed a session, in ms, which stands for the present in a dry run. The record does not get
   * the change, so it would move at every ring, and no delete that waits for the notice after a change would become due.
   */
  #firstUpgradeAt(now: number): number {
    const { rank } = this.#options.policies;
    if (this.#upgraded.rank !== rank) this.#upgraded = { rank, at: now };
    return this.#upgraded.at;
  }
}

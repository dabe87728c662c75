import type { Agreed, PolicyAgreement, ToldPolicies } from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import { Keyspace, type ShardKeys } from './keys.ts';
import { loadScript } from './script.ts';

const agree = loadScript('agree');

/** How long something holds that nobody says any more, in ms: a rollout, or a restart, is not the end of it. */
const HOLDS_MS = 30_000;

export class RedisPolicies implements PolicyAgreement {
  readonly #redis: Redis | Cluster;
  readonly #keys: ShardKeys;

  constructor(redis: Redis | Cluster, prefix: string) {
    this.#redis = redis;
    // One for all shards: a policy is the same in each.
    this.#keys = new Keyspace(prefix, 1).shards[0]!;
  }

  async agree(told: ToldPolicies | null, claim: boolean, shadows: readonly string[]): Promise<Agreed> {
    const reply = await agree(
      this.#redis,
      [this.#keys.policies, this.#keys.shadowNames],
      [told?.version ?? '', told?.text ?? '', claim ? 1 : 0, shadows.join(','), HOLDS_MS],
    );
    const [version, text, names] = reply as [string, string, string];
    return { policies: text === '' ? null : { version: Number(version), text }, shadows: names === '' ? [] : names.split(',') };
  }
}

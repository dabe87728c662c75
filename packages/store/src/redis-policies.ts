import type { AgreedPolicies, AnnouncedPolicies, PoliciesInForce, PolicyAgreement } from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import { Keyspace, type ShardKeys } from './keys.ts';
import { loadScript } from './script.ts';

const agree = loadScript('agree-on-policies');

/** How long shadow policies are counted after their last announcement, in ms, so that a restart does not end them. */
const SHADOWS_HOLD_MS = 30_000;

export class RedisPolicies implements PolicyAgreement {
  readonly #redis: Redis | Cluster;
  readonly #keys: ShardKeys;

  constructor(redis: Redis | Cluster, prefix: string) {
    this.#redis = redis;
    // One key for all shards: policies are the same in each.
    this.#keys = new Keyspace(prefix, 1).shards[0]!;
  }

  async agree(
    announced: AnnouncedPolicies | null,
    replaces: boolean,
    lastReceived: PoliciesInForce | null,
    shadows: readonly string[],
  ): Promise<AgreedPolicies> {
    const reply = await agree(
      this.#redis,
      [this.#keys.policies, this.#keys.shadowNames],
      [
        announced?.version ?? '',
        announced?.text ?? '',
        replaces ? 1 : 0,
        lastReceived?.version ?? '',
        lastReceived?.edition ?? '',
        lastReceived?.text ?? '',
        shadows.join(','),
        SHADOWS_HOLD_MS,
      ],
    );
    const [version, edition, text, names] = reply as [number, number, string, string];
    return { policies: text === '' ? null : { version, edition, text }, shadows: names === '' ? [] : names.split(',') };
  }
}

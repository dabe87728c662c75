import { type Status, shardOf, shardTag } from '@sandman/core';

/** Events kept per shard, at least; enough for a consumer to be away for a while. */
export const EVENTS_CAP = 100_000;

/** The keys of one shard. All carry its hash tag, so that a script reaches them on a Redis Cluster too. */
export class ShardKeys {
  readonly #tag: string;

  constructor(prefix: string, shard: number) {
    this.#tag = shardTag(prefix, shard);
  }

  session(uuid: string): string {
    return `${this.#tag}:session:${uuid}`;
  }

  history(uuid: string): string {
    return `${this.#tag}:history:${uuid}`;
  }

  status(status: Status): string {
    return `${this.#tag}:status:${status}`;
  }

  /** A user's sessions: the live ones, or those deleted and not forgotten yet. */
  owned(userId: string, deleted: boolean): string {
    return `${this.#tag}:${deleted ? 'gone' : 'user'}:${userId}`;
  }

  get unarmed(): string {
    return `${this.#tag}:unarmed`;
  }

  get events(): string {
    return `${this.#tag}:events`;
  }

  /** The sessions whose calls fail, by since when. */
  get failing(): string {
    return `${this.#tag}:failing`;
  }

  /** The books of pod time, per policy. */
  get savings(): string {
    return `${this.#tag}:savings`;
  }

  /** What is known of the pings' way in. */
  get ingest(): string {
    return `${this.#tag}:ingest`;
  }

  /** Where the sweep's walk is. */
  get walk(): string {
    return `${this.#tag}:walk`;
  }

  /** When the next call to the session-manager may be made. */
  get pace(): string {
    return `${this.#tag}:pace`;
  }

  /** The workers that live. */
  get workers(): string {
    return `${this.#tag}:workers`;
  }

  /** What had to be mended. */
  get repairs(): string {
    return `${this.#tag}:repairs`;
  }

  /** How the fleet stood, minute by minute. */
  get trend(): string {
    return `${this.#tag}:trend`;
  }

  get tombstones(): string {
    return `${this.#tag}:tombstones`;
  }
}

/** Every shard's keys, and whose a session is. */
export class Keyspace {
  readonly shards: readonly ShardKeys[];

  constructor(prefix: string, shards: number) {
    this.shards = Array.from({ length: shards }, (_, shard) => new ShardKeys(prefix, shard));
  }

  of(uuid: string): ShardKeys {
    return this.shards[shardOf(uuid, this.shards.length)]!;
  }
}

import { type Status, shardOf, shardTag } from '@sandman/core';

/** Events kept per shard, at least; enough for a consumer to be away for a while. */
export const EVENTS_CAP = 100_000;

/** Stands between the two parts of a place; no uuid holds it. */
const BETWEEN = '\0';

/** A session's place in the index of its status: beside the others of its user. */
export function placeOf(userId: string, uuid: string): string {
  return `${userId}${BETWEEN}${uuid}`;
}

export function uuidAt(place: string): string {
  return place.slice(place.lastIndexOf(BETWEEN) + 1);
}

export function userAt(place: string): string {
  return place.slice(0, place.lastIndexOf(BETWEEN));
}

/** The keys of one shard. All carry its hash tag, so that a script reaches them on a Redis Cluster too. */
export class ShardKeys {
  readonly #tag: string;

  constructor(prefix: string, shard: number) {
    this.#tag = shardTag(prefix, shard);
  }

  session(uuid: string): string {
    return `${this.#tag}:session:${uuid}`;
  }

  /** The sessions of one status, by user: the members are places ({@link placeOf}). */
  status(status: Status): string {
    return `${this.#tag}:status:${status}`;
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

  /** Where the patrol is. */
  get patrol(): string {
    return `${this.#tag}:patrol`;
  }

  /** The sessions that the patrol looked at last, by when. */
  get patrolled(): string {
    return `${this.#tag}:patrolled`;
  }

  /** When the next call to the session-manager may be made. */
  get pace(): string {
    return `${this.#tag}:pace`;
  }

  /** When the patrol may read the next status. */
  get patrolPace(): string {
    return `${this.#tag}:patrol-pace`;
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

  /** Over how many shards the sessions are spread. */
  get shards(): string {
    return `${this.#tag}:shards`;
  }

  /** Which policies hold. */
  get policies(): string {
    return `${this.#tag}:policies`;
  }

  get shadowNames(): string {
    return `${this.#tag}:shadows`;
  }

  /** What shadow policies would have made of the fleet. */
  get shadowBooks(): string {
    return `${this.#tag}:shadow-books`;
  }

  /** What dry runs have said of a session, each with its deadline. */
  rehearsed(uuid: string): string {
    return `${this.#tag}:said:${uuid}`;
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

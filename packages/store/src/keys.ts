import { type Status, shardOf, shardTag } from '@sandman/core';

/** Least number of events kept per shard, so that a consumer may be away for a while. */
export const EVENTS_CAP = 100_000;

/** Separates user and uuid in a member of a status index; no uuid contains it. */
const SEPARATOR = '\0';

/** The member of a status index for a session. The sessions of one user are next to each other. */
export function indexMember(userId: string, uuid: string): string {
  return `${userId}${SEPARATOR}${uuid}`;
}

export function uuidOfMember(member: string): string {
  return member.slice(member.lastIndexOf(SEPARATOR) + 1);
}

export function userOfMember(member: string): string {
  return member.slice(0, member.lastIndexOf(SEPARATOR));
}

/** The keys of one shard. All carry its hash tag, so that one script may use them on a Redis Cluster too. */
export class ShardKeys {
  readonly #tag: string;

  constructor(prefix: string, shard: number) {
    this.#tag = shardTag(prefix, shard);
  }

  session(uuid: string): string {
    return `${this.#tag}:session:${uuid}`;
  }

  /** The index of one status: its sessions, sorted by user ({@link indexMember}). */
  status(status: Status): string {
    return `${this.#tag}:status:${status}`;
  }

  get unarmed(): string {
    return `${this.#tag}:unarmed`;
  }

  get events(): string {
    return `${this.#tag}:events`;
  }

  /** The sessions whose calls fail, scored by since when. */
  get failing(): string {
    return `${this.#tag}:failing`;
  }

  /** Usage per policy. */
  get usage(): string {
    return `${this.#tag}:savings`;
  }

  /** The shard's intake: last heartbeat, end of the last gap, lost time, data loss, time of warnings. */
  get intake(): string {
    return `${this.#tag}:ingest`;
  }

  /** Where the sweep is: the last index member it read. */
  get walk(): string {
    return `${this.#tag}:walk`;
  }

  /** Where the patrol is: index and member. */
  get patrol(): string {
    return `${this.#tag}:patrol`;
  }

  /** The sessions that had a turn of the patrol, scored by when. */
  get patrolled(): string {
    return `${this.#tag}:patrolled`;
  }

  /** Rate limiter of the calls to the session-manager: when the next one may be made. */
  get pace(): string {
    return `${this.#tag}:pace`;
  }

  /** Rate limiter of the patrol: when it may read the next status. */
  get patrolPace(): string {
    return `${this.#tag}:patrol-pace`;
  }

  /** The worker registry. */
  get workers(): string {
    return `${this.#tag}:workers`;
  }

  /** The last repairs of alarms. */
  get repairs(): string {
    return `${this.#tag}:repairs`;
  }

  /** Samples of the number of pods, one a minute. */
  get podSamples(): string {
    return `${this.#tag}:trend`;
  }

  /** The agreed number of shards. */
  get shards(): string {
    return `${this.#tag}:shards`;
  }

  /** The policies in force. */
  get policies(): string {
    return `${this.#tag}:policies`;
  }

  get shadowNames(): string {
    return `${this.#tag}:shadows`;
  }

  /** Totals of the shadow policies. */
  get shadowTotals(): string {
    return `${this.#tag}:shadow-books`;
  }

  /** The calls that dry runs have logged for a session, scored by their deadlines. */
  dryRunCalls(uuid: string): string {
    return `${this.#tag}:said:${uuid}`;
  }

  get tombstones(): string {
    return `${this.#tag}:tombstones`;
  }
}

/** The keys of all shards. */
export class Keyspace {
  readonly shards: readonly ShardKeys[];

  constructor(prefix: string, shards: number) {
    this.shards = Array.from({ length: shards }, (_, shard) => new ShardKeys(prefix, shard));
  }

  of(uuid: string): ShardKeys {
    return this.shards[shardOf(uuid, this.shards.length)]!;
  }
}

import type { Status } from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import { type Change, decodeHistory } from './history-codec.ts';
import { EVENTS_CAP, Keyspace } from './keys.ts';
import { decodePosition, type Position, START } from './position.ts';
import { FIELDS } from './record.ts';
import { loadScript } from './script.ts';
import { addUsage, type Usage } from './usage-codec.ts';

const hashWithTime = loadScript('hash-with-time');

/** A change of one session, as the event stream has it. */
export interface SessionChange extends Change {
  readonly uuid: string;
  readonly userId: string;
  /** The user's last activity at that time, in ms; 0 where an older version of Sandman wrote the event. */
  readonly lastActivity: number;
}

export interface StatusEvent extends SessionChange {
  /** The position after this event. */
  readonly position: Position;
}

/** Decodes an entry of the event stream. @param flat field, value, … */
export function decodeEvent(flat: readonly string[]): SessionChange {
  const fields = Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]));
  const { uuid, userId, at, from, to, cause, lastActivity = '0' } = fields as Record<string, string> & { from: Status | ''; to: Status };
  return { uuid: uuid!, userId: userId!, at: Number(at), from, to, cause: cause!, lastActivity: Number(lastActivity) };
}

function millisOf(id: string): number {
  return Number(id.split('-', 1)[0]);
}

/** Reads the event streams, the histories of sessions, and the usage. */
export class RedisJournal {
  readonly #redis: Redis | Cluster;
  readonly #keys: Keyspace;

  constructor(redis: Redis | Cluster, { prefix, shards }: { readonly prefix: string; readonly shards: number }) {
    this.#redis = redis;
    this.#keys = new Keyspace(prefix, shards);
  }

  /** Returns the last changes of a session, newest first; none for an unknown session. */
  async history(uuid: string): Promise<Change[]> {
    return decodeHistory((await this.#redis.hget(this.#keys.of(uuid).session(uuid), FIELDS.changes)) ?? '');
  }

  /** Returns the usage by policy until now; times in ms. */
  async usage(): Promise<Map<string, Usage>> {
    const usage = new Map<string, Record<keyof Usage, number>>();
    const shards = await Promise.all(this.#keys.shards.map((keys) => hashWithTime(this.#redis, [keys.usage], [])));
    for (const [now, flat] of shards as [number, string[]][]) addUsage(usage, flat, now);
    return usage;
  }

  /** Returns the position before the first event. */
  beginning(): Position {
    return this.#keys.shards.map(() => START);
  }

  /** Returns the position after the last event that exists now. */
  async end(): Promise<Position> {
    const lasts = await Promise.all(this.#keys.shards.map(({ events }) => this.#redis.xrevrange(events, '+', '-', 'COUNT', 1)));
    return lasts.map(([last]) => last?.[0] ?? START);
  }

  /**
   * Reads the id of an event.
   *
   * @throws InvalidInput naming `field`
   */
  decodePosition(text: string, field: string): Position {
    return decodePosition(text, this.#keys.shards.length, field);
  }

  /** Tells whether every event after `position` still exists. */
  async isKept(position: Position): Promise<boolean> {
    const kept = position.map(async (id, shard) => {
      const { events } = this.#keys.shards[shard]!;
      // A stream that is shorter than its cap has never been trimmed.
      if (id === START) return (await this.#redis.xlen(events)) < EVENTS_CAP;
      return (await this.#redis.xrange(events, id, id)).length > 0;
    });
    return (await Promise.all(kept)).every(Boolean);
  }

  /** Returns the next events, oldest first. @param limit how many of each shard at most */
  async after(position: Position, limit: number): Promise<StatusEvent[]> {
    const pages = await Promise.all(
      this.#keys.shards.map(({ events }, shard) => this.#redis.xrange(events, `(${position[shard]}`, '+', 'COUNT', limit)),
    );
    const entries = pages.flatMap((page, shard) => page.map(([id, flat]) => ({ id, shard, flat })));
    entries.sort((a, b) => millisOf(a.id) - millisOf(b.id));
    const reached = [...position];
    return entries.map(({ id, shard, flat }) => {
      reached[shard] = id;
      return { ...decodeEvent(flat), position: [...reached] };
    });
  }
}

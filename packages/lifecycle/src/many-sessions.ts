import { type ErrorCode, type Reading, SandmanError, type SessionStore, shardOf } from '@sandman/core';
import { FanOut, type Lane } from './fan-out.ts';

/** Users whose sessions are searched for in one part, and how many of them cost Redis as much as one touch. */
const USERS_AT_ONCE = 250;
const USERS_PER_TOUCH = 2.5;
/** Sessions of a batch in one part: as many touches as travel together to Redis. */
const NAMED_AT_ONCE = 50;
/** Shards in which one call searches for sessions at once. */
const SHARDS_AT_ONCE = 16;

type Store = Pick<SessionStore, 'shards' | 'ofUsers'>;

/** Returns the code of an error that says that a session does not exist or is deleted. @throws any other error */
export function absence(error: unknown): ErrorCode {
  if (error instanceof SandmanError && error.code.startsWith('session-')) return error.code;
  throw error;
}

/** @throws SandmanError `session-not-found` where the session belongs to another user now */
export function assertOwned({ record }: Reading, uuid: string, userId: string): void {
  if (record && record.userId !== userId) throw new SandmanError('session-not-found', `User ${userId} has no session ${uuid}`);
}

/** Makes calls that change many sessions: all of a user's, or those that a batch names. All such calls take turns. */
export class ManySessions {
  readonly #store: Store;
  readonly #fanOut = new FanOut();

  constructor(store: Store) {
    this.#store = store;
  }

  begin(): CallOnMany {
    return new CallOnMany(this.#store, this.#fanOut.lane());
  }

  /** Changes every live session of a user. @throws the error of a shard, once all other shards are done */
  async eachOfUser<T>(userId: string, change: (uuid: string) => Promise<T>): Promise<T[]> {
    const call = this.begin();
    const changed = await call.eachOfUsers([userId], change);
    call.end();
    return changed;
  }
}

/** One call on many sessions. After a fault in a shard, the call does nothing more there, but continues in the others. */
export class CallOnMany {
  readonly #store: Store;
  readonly #lane: Lane;
  readonly #faults = new Map<number, unknown>();

  constructor(store: Store, lane: Lane) {
    this.#store = store;
    this.#lane = lane;
  }

  /** Changes sessions that are given by uuid. */
  async each<Named extends { readonly uuid: string }>(all: readonly Named[], change: (one: Named) => Promise<void>): Promise<void> {
    const { shards } = this.#store;
    const parts = Array.from({ length: Math.ceil(all.length / NAMED_AT_ONCE) }, (_, part) => {
      const some = all.slice(part * NAMED_AT_ONCE, (part + 1) * NAMED_AT_ONCE);
      const changeSome = () => Promise.all(some.map((one) => this.#attempt(shardOf(one.uuid, shards), () => change(one))));
      return this.#lane.run(some.length, changeSome);
    });
    await Promise.all(parts);
  }

  /**
   * Changes every live session of these users, shard by shard.
   *
   * @returns what `change` returned for each; a session that was deleted or changed its user since it was found is left out
   */
  async eachOfUsers<T>(userIds: readonly string[], change: (uuid: string, userId: string) => Promise<T>): Promise<T[]> {
    const changed: T[][] = [];
    const shards = Array.from({ length: this.#store.shards }, (_, shard) => shard).values();
    const work = async () => {
      for (const shard of shards) changed[shard] = await this.#eachInShard(shard, userIds, change);
    };
    await Promise.all(Array.from({ length: SHARDS_AT_ONCE }, work));
    return changed.flat();
  }

  /** Ends the call. @throws the first fault, if there was one */
  end(): void {
    for (const fault of this.#faults.values()) throw fault;
  }

  async #eachInShard<T>(shard: number, userIds: readonly string[], change: (uuid: string, userId: string) => Promise<T>): Promise<T[]> {
    const changed: T[] = [];
    const changeOne = async (uuid: string, userId: string) => {
      try {
        return [await change(uuid, userId)];
      } catch (error) {
        absence(error);
        return [];
      }
    };
    for (let from = 0; from < userIds.length; from += USERS_AT_ONCE) {
      const users = userIds.slice(from, from + USERS_AT_ONCE);
      const weight = Math.ceil(users.length / USERS_PER_TOUCH);
      const pages = this.#store.ofUsers(shard, users)[Symbol.asyncIterator]();
      for (;;) {
        const page = await this.#lane.run(weight, () => this.#attempt(shard, () => pages.next()));
        if (!page) return changed;
        if (page.value.done) break;
        const parts = page.value.value.map(({ uuid, userId }) =>
          this.#lane.run(1, () => this.#attempt(shard, () => changeOne(uuid, userId))),
        );
        for (const one of await Promise.all(parts)) changed.push(...(one?.value ?? []));
      }
    }
    return changed;
  }

  /** Does some work in a shard, unless work failed there before. @returns null where it failed, now or before */
  async #attempt<T>(shard: number, work: () => Promise<T>): Promise<{ readonly value: T } | null> {
    if (this.#faults.has(shard)) return null;
    try {
      return { value: await work() };
    } catch (error) {
      this.#faults.set(shard, error);
      return null;
    }
  }
}

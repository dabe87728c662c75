import { birth, PolicyBook, type SessionRecord, type SessionStore } from '@sandman/core';
import type { Surroundings } from './surroundings.ts';

/** The time at which tests begin, in ms of Redis' clock. */
export const T0 = 1_800_000_000_000;

/** Resolves after every promise that can settle has done so. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Timer {
  at: number;
  readonly again: number | null;
  readonly run: () => void;
}

/** A clock whose time passes only when a test calls {@link pass}, with random numbers and ids that the test determines. */
export class VirtualTime implements Surroundings {
  /** The random number that `chance` returns. */
  luck = 0;
  #now = 0;
  #ids = 0;
  readonly #timers = new Set<Timer>();

  readonly elapsed = () => this.#now;
  readonly chance = () => this.luck;
  readonly id = () => `id-${++this.#ids}`;
  readonly every = (ms: number, run: () => void) => this.#start(ms, ms, run);
  readonly pause = (ms: number) =>
    new Promise<void>((resolve) => {
      this.#start(ms, null, resolve);
    });

  /** Runs every timer of the next `ms`, each at its time, and lets its promises settle as far as they can. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#now = next.at;
      if (next.again === null) this.#timers.delete(next);
      else next.at += next.again;
      next.run();
      await settled();
    }
    this.#now = end;
  }

  #start(ms: number, again: number | null, run: () => void): () => void {
    const timer = { at: this.#now + ms, again, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
}

/** Returns a port that has only the members which the test gives, and throws on any other. */
export function only<T extends object>(does: Partial<T>): T {
  return new Proxy(does, {
    get(target, name) {
      if (name in target) return Reflect.get(target, name);
      throw new Error(`nobody should ask for ${String(name)}`);
    },
  }) as T;
}

/** Returns an active session of the balanced policy (15 minutes), last active at `T0`, with alarm number 42. */
export function session(change: Partial<SessionRecord> = {}): SessionRecord {
  const policy = new PolicyBook().resolve('balanced');
  return {
    ...birth({ userId: 'ada', workspaceUrl: '', policy, cause: 'created' }, null, T0),
    uuid: 'a',
    rev: 7,
    n: 42,
    // The last heartbeat is always recent.
    ingest: { beat: Number.POSITIVE_INFINITY, floor: 0, lost: 0, rewound: 0, warning: 0 },
    ...change,
  } as SessionRecord;
}

/** Rounds that a test ends one by one. Counts how many began, and how many ran at once. */
export class Rounds {
  began = 0;
  atOnce = 0;
  #ends: ((error?: Error) => void)[] = [];

  readonly begin = () =>
    new Promise<void>((resolve, reject) => {
      this.began++;
      this.#ends.push((error) => (error ? reject(error) : resolve()));
      this.atOnce = Math.max(this.atOnce, this.#ends.length);
    });

  /** Ends the oldest running round. */
  async end(error?: Error): Promise<void> {
    this.#ends.shift()?.(error);
    await settled();
  }
}

/** Returns a store of one shard that has only the given methods. */
export const storeThat = (does: Partial<SessionStore>) => only<SessionStore>({ shards: 1, ...does });

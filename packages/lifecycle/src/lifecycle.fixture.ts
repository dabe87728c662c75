import { birth, PolicyBook, type SessionRecord, type SessionStore } from '@sandman/core';
import type { Surroundings } from './surroundings.ts';

/** When tests begin, in ms of Redis' clock. */
export const T0 = 1_800_000_000_000;

/** Lets every promise that can settle do so. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Timer {
  at: number;
  readonly again: number | null;
  readonly run: () => void;
}

/** Surroundings whose time passes only when a test says so. */
export class VirtualTime implements Surroundings {
  /** What chance answers. */
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

  /** Rings every timer of the next `ms`, each at its time, and lets what it began go on as far as it can. */
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

/** A store, or an alarm clock, that does what the test says, and fails where it is asked for anything else. */
export function only<T extends object>(does: Partial<T>): T {
  return new Proxy(does, {
    get(target, name) {
      if (name in target) return Reflect.get(target, name);
      throw new Error(`nobody should ask for ${String(name)}`);
    },
  }) as T;
}

/** An active session of the balanced policy (15 minutes), last heard of at `T0`, whose alarm number is 42. */
export function session(change: Partial<SessionRecord> = {}): SessionRecord {
  const policy = new PolicyBook().resolve('balanced');
  return {
    ...birth({ userId: 'ada', workspaceUrl: '', policy, cause: 'created' }, null, T0),
    uuid: 'a',
    rev: 7,
    n: 42,
    // An API that is there, whenever one looks.
    ingest: { beat: Number.POSITIVE_INFINITY, floor: 0, lost: 0, rewound: 0, warning: 0 },
    ...change,
  } as SessionRecord;
}

/** Rounds that a test ends one by one: how many began, and how many ran at once. */
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

  /** Ends the oldest one that runs. */
  async end(error?: Error): Promise<void> {
    this.#ends.shift()?.(error);
    await settled();
  }
}

/** A store of one shard of which only this is asked. */
export const storeThat = (does: Partial<SessionStore>) => only<SessionStore>({ shards: 1, ...does });

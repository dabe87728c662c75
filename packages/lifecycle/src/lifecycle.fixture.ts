import { NEW_INTAKE, newSession, PolicySet, type SessionRecord, type SessionStore } from '@sandman/core';
import type { System } from './system.ts';

/** The time at which tests begin, in ms of Redis' clock. */
export const T0 = 1_800_000_000_000;

/** Resolves after every promise that can settle has done so. */
export const settlePromises = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Timer {
  at: number;
  readonly again: number | null;
  readonly run: () => void;
}

/** A clock whose time passes only when a test calls {@link pass}, with random numbers and ids that the test determines. */
export class VirtualTime implements System {
  /** The random number that `random` returns. */
  nextRandom = 0;
  #now = 0;
  #ids = 0;
  readonly #timers = new Set<Timer>();

  readonly elapsed = () => this.#now;
  readonly random = () => this.nextRandom;
  readonly newId = () => `id-${++this.#ids}`;
  readonly every = (ms: number, run: () => void) => this.#start(ms, ms, run);
  readonly after = (ms: number, run: () => void) => this.#start(ms, null, run);
  readonly pause = (ms: number) =>
    new Promise<void>((resolve) => {
      this.#start(ms, null, resolve);
    });

  /** Runs every timer of the next `ms`, each at its time, and lets its promises settle as far as they can. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settlePromises();
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#now = next.at;
      if (next.again === null) this.#timers.delete(next);
      else next.at += next.again;
      next.run();
      await settlePromises();
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
export function stub<T extends object>(does: Partial<T>): T {
  return new Proxy(does, {
    get(target, name) {
      if (name in target) return Reflect.get(target, name);
      throw new Error(`the test gives no member ${String(name)}`);
    },
  }) as T;
}

/** Returns an active session of the balanced policy (15 minutes), last active at `T0`, with alarm number 42. */
export function session(change: Partial<SessionRecord> = {}): SessionRecord {
  const policy = new PolicySet().resolve('balanced');
  return {
    ...newSession({ userId: 'ada', workspaceUrl: '', policy, cause: 'created' }, null, T0),
    uuid: 'a',
    rev: 7,
    n: 42,
    // The last heartbeat is always recent.
    intake: { ...NEW_INTAKE, lastHeartbeat: Number.POSITIVE_INFINITY },
    ...change,
  } as SessionRecord;
}

/** Rounds that a test ends one by one. Counts how many started, and how many ran at once at most. */
export class ManualRounds {
  started = 0;
  mostAtOnce = 0;
  #ends: ((error?: Error) => void)[] = [];

  readonly begin = () =>
    new Promise<void>((resolve, reject) => {
      this.started++;
      this.#ends.push((error) => (error ? reject(error) : resolve()));
      this.mostAtOnce = Math.max(this.mostAtOnce, this.#ends.length);
    });

  /** Ends the oldest running round. */
  async end(error?: Error): Promise<void> {
    this.#ends.shift()?.(error);
    await settlePromises();
  }
}

/** Returns a store of one shard that has only the given methods. */
export const stubStore = (does: Partial<SessionStore>) => stub<SessionStore>({ shards: 1, ...does });

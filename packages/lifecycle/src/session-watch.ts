import { assertLive, type LiveReading, type SessionRecord, type SessionStore } from '@sandman/core';
import type { System } from './system.ts';

/** The time between two reads of a session, in ms: at least the first, and at least the second times the number of sessions. */
const POLL_MS = 50;
const POLL_MS_EACH = 0.5;
/** The longest time that a timer takes, in ms; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface Waiter {
  /** Reads up to this number began before the waiter came, so they may miss what its caller wrote. */
  readonly after: number;
  readonly isSo: (record: SessionRecord) => boolean;
  readonly resolve: (reading: LiveReading | null) => void;
  readonly reject: (error: unknown) => void;
}

interface Watched {
  readonly waiters: Set<Waiter>;
  /** How many reads have begun. */
  readings: number;
  /** Ends the pause before the next read, if there is one. */
  readOn: () => void;
}

/**
 * Polls sessions for callers that wait for a change: one read of a session serves all of its callers, and there are at most
 * 2,000 reads a second in all.
 */
export class SessionWatch {
  readonly #store: Pick<SessionStore, 'read'>;
  readonly #system: Pick<System, 'after'>;
  readonly #sessions = new Map<string, Watched>();

  constructor(store: Pick<SessionStore, 'read'>, system: Pick<System, 'after'>) {
    this.#store = store;
    this.#system = system;
  }

  /**
   * Waits until `isSo` holds for a session's record. The record is read at once, or with the next read for other callers of
   * the session; reads go on until the last caller has left.
   *
   * @param timeout ms
   * @param signal ends the wait when its caller has left
   * @returns null when `isSo` did not hold within `timeout`, or `signal` came first
   * @throws SandmanError `session-not-found`, `session-deleted`; Redis' own error
   */
  until(
    uuid: string,
    isSo: (record: SessionRecord) => boolean,
    { timeout, signal }: { readonly timeout: number; readonly signal?: AbortSignal | undefined },
  ): Promise<LiveReading | null> {
    if (signal?.aborted) return Promise.resolve(null);
    const watched = this.#sessions.get(uuid) ?? this.#watch(uuid);
    const { promise, resolve, reject } = Promise.withResolvers<LiveReading | null>();
    const waiter: Waiter = { after: watched.readings, isSo, resolve, reject };
    const leave = () => resolve(null);
    const cancel = this.#system.after(Math.min(timeout, LONGEST_TIMER_MS), leave);
    signal?.addEventListener('abort', leave);
    // All earlier callers have left, so the pause that runs need not delay this one.
    if (watched.waiters.size === 0) watched.readOn();
    watched.waiters.add(waiter);
    return promise.finally(() => {
      cancel();
      signal?.removeEventListener('abort', leave);
      watched.waiters.delete(waiter);
    });
  }

  #watch(uuid: string): Watched {
    const watched: Watched = { waiters: new Set(), readings: 0, readOn: () => {} };
    this.#sessions.set(uuid, watched);
    void this.#read(uuid, watched);
    return watched;
  }

  async #read(uuid: string, watched: Watched): Promise<void> {
    // The caller adds its waiter in the same turn of the event loop.
    await null;
    while (watched.waiters.size > 0) {
      watched.readings += 1;
      const number = watched.readings;
      const present = () => [...watched.waiters].filter(({ after }) => after < number);
      try {
        const { record, now } = await this.#store.read(uuid);
        for (const { isSo, resolve, reject } of present()) {
          try {
            assertLive(record, uuid, now);
            if (isSo(record)) resolve({ record, now });
          } catch (error) {
            reject(error);
          }
        }
      } catch (error) {
        for (const { reject } of present()) reject(error);
      }
      // Waiters that were answered leave before the next line.
      await null;
      if (watched.waiters.size > 0) await this.#pause(watched);
    }
    this.#sessions.delete(uuid);
  }

  #pause(watched: Watched): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#system.after(Math.max(POLL_MS, POLL_MS_EACH * this.#sessions.size), resolve);
      watched.readOn = () => {
        cancel();
        resolve();
      };
    });
  }
}

import { assertLive, type LiveReading, type SessionRecord, type SessionStore } from '@sandman/core';

/** How often a session is read for those who wait for it, in ms: while few sessions are, and for each of them where many are. */
const POLL_MS = 50;
const POLL_MS_EACH = 0.5;
/** Timers take no more, and fire at once beyond it. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface Waiter {
  /** Readings up to this one began before the waiter came: they may be older than what it did. */
  readonly after: number;
  readonly isSo: (record: SessionRecord) => boolean;
  readonly resolve: (reading: LiveReading | null) => void;
  readonly reject: (error: unknown) => void;
}

interface Watched {
  readonly waiters: Set<Waiter>;
  /** How many readings have begun. */
  readings: number;
  /** Ends the pause before the next reading, if there is one. */
  readOn: () => void;
}

/**
 * Reads sessions again and again for callers who wait for a change: each session once for all of its callers, and at most
 * 2,000 times a second in all.
 */
export class SessionWatch {
  readonly #store: Pick<SessionStore, 'read'>;
  readonly #sessions = new Map<string, Watched>();

  constructor(store: Pick<SessionStore, 'read'>) {
    this.#store = store;
  }

  /**
   * Waits until a session's record is as wanted. It is read at once, or when it is read for those who wait already, and then
   * until the last of them has gone.
   *
   * @param timeout ms
   * @param signal ends the wait, when its caller has gone
   * @returns null when it was not within `timeout`, or `signal` came first
   * @throws SandmanError `session-not-found`, `session-deleted`; what Redis says
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
    const timer = setTimeout(leave, Math.min(timeout, LONGEST_TIMER_MS));
    signal?.addEventListener('abort', leave);
    // The last caller has left, and the pause before the next reading was meant for that one.
    if (watched.waiters.size === 0) watched.readOn();
    watched.waiters.add(waiter);
    return promise.finally(() => {
      clearTimeout(timer);
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
    // The first waiter is added in the same turn.
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
      // Those who were told leave before that.
      await null;
      if (watched.waiters.size > 0) await this.#pause(watched);
    }
    this.#sessions.delete(uuid);
  }

  #pause(watched: Watched): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(POLL_MS, POLL_MS_EACH * this.#sessions.size));
      watched.readOn = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

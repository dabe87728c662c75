import { type Outcome, type PodControl, type RateLimiter, type SessionRecord, type SessionStore, statusOf } from '@sandman/core';
import type { System } from './system.ts';

/** How many sessions are read to find some whose calls do not fail, and for how many of these the status is asked. */
const SAMPLED = 20;
const ASKED = 3;

export interface ProbeOptions {
  readonly store: Pick<SessionStore, 'sample'>;
  readonly pods: PodControl;
  /** Limits the calls per second of all workers together; null: no limit. */
  readonly rateLimiter: RateLimiter | null;
  readonly system: Pick<System, 'newId' | 'pause'>;
}

/** Reads the status of a few sessions, to find out what the failed calls of others mean. Never throws. */
export class Probe {
  readonly #options: ProbeOptions;

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  /**
   * Returns whether the session-manager answers at all. A 404 and a refusal are answers too.
   *
   * Asks for sessions whose calls do not fail, if there are any, because perhaps only the others fail. Sessions that need no
   * call now come first: when many broken pods are put to sleep at once, the first calls of some of them have not failed yet.
   *
   * @param failing sessions whose calls failed just now
   */
  async answers(failing: { has(uuid: string): boolean }): Promise<boolean> {
    const { sound, all } = await this.#sample((uuid) => failing.has(uuid));
    return this.#some(sound.length > 0 ? sound : all, ({ kind }) => kind === 'done' || kind === 'gone' || kind === 'permanent');
  }

  /** Returns whether the session-manager knows a session other than this; true where there is none whose calls do not fail. */
  async findsOthers(uuid: string): Promise<boolean> {
    const { sound } = await this.#sample((other) => other === uuid);
    return sound.length === 0 || this.#some(sound, ({ kind }) => kind === 'done');
  }

  async #sample(excluded: (uuid: string) => boolean) {
    const all = (await this.#options.store.sample(SAMPLED).catch(() => [])).map(({ record }) => record);
    const sound = all.filter(({ uuid, failures }) => failures === 0 && !excluded(uuid));
    return { all, sound: [...sound.filter(isSettled), ...sound.filter((record) => !isSettled(record))] };
  }

  /** Returns true as soon as one outcome is as wanted, and false when none is. */
  async #some(records: readonly SessionRecord[], isWanted: (outcome: Outcome) => boolean): Promise<boolean> {
    const asked: Promise<void>[] = [];
    for (const { uuid } of records.slice(0, ASKED)) {
      await this.#waitForSlot();
      asked.push(this.#ask(uuid, isWanted));
    }
    return Promise.any(asked).then(
      () => true,
      () => false,
    );
  }

  /** Waits for a place in the rate limiter. An error counts as a place, because Redis cannot be reached then. */
  async #waitForSlot(): Promise<void> {
    const { rateLimiter, system } = this.#options;
    for (;;) {
      const ms = (await rateLimiter?.take().catch(() => 0)) ?? 0;
      if (ms === 0) return;
      await system.pause(ms);
    }
  }

  async #ask(uuid: string, isWanted: (outcome: Outcome) => boolean): Promise<void> {
    const connection = await this.#options.pods.open();
    if (!connection || !isWanted(await connection.call('status', uuid, this.#options.system.newId()))) throw new Error('not as wanted');
  }
}

/** Returns whether the pod is as wanted, and no call for it is in flight. */
function isSettled(record: SessionRecord): boolean {
  const status = statusOf(record);
  return (status === 'active' || status === 'sleeping') && record.action === '';
}

import { type Outcome, type Pace, type PodControl, type SessionRecord, type SessionStore, statusOf } from '@sandman/core';
import type { Surroundings } from './surroundings.ts';

/** How many sessions are looked for whose calls do not fail, and how many of them are asked for. */
const SAMPLED = 20;
const ASKED = 3;

export interface ProbeOptions {
  readonly store: Pick<SessionStore, 'sample'>;
  readonly pods: PodControl;
  /** Bounds the calls per second of all workers together; null: nothing does. */
  readonly pace: Pace | null;
  readonly surroundings: Pick<Surroundings, 'id' | 'pause'>;
}

/** Reads the statuses of some sessions, to find out what a failure of others means. Never throws. */
export class Probe {
  readonly #on: ProbeOptions;

  constructor(options: ProbeOptions) {
    this.#on = options;
  }

  /**
   * Whether the session-manager answers at all, also that it does not know a session, or that we may not ask. Sessions whose
   * calls do not fail are asked for, where there are any: what fails may be only the others. Those that need no call now come
   * first: when many broken pods are put to sleep at once, the first call of some of them is yet to fail.
   *
   * @param failing sessions whose calls failed just now
   */
  async answers(failing: { has(uuid: string): boolean }): Promise<boolean> {
    const { sound, all } = await this.#sample((uuid) => failing.has(uuid));
    return this.#some(sound.length > 0 ? sound : all, ({ kind }) => kind === 'done' || kind === 'gone' || kind === 'permanent');
  }

  /** Whether the session-manager knows others than this session; true where there is none whose calls do not fail. */
  async findsOthers(uuid: string): Promise<boolean> {
    const { sound } = await this.#sample((other) => other === uuid);
    return sound.length === 0 || this.#some(sound, ({ kind }) => kind === 'done');
  }

  async #sample(excluded: (uuid: string) => boolean) {
    const all = (await this.#on.store.sample(SAMPLED).catch(() => [])).map(({ record }) => record);
    const sound = all.filter(({ uuid, failures }) => failures === 0 && !excluded(uuid));
    return { all, sound: [...sound.filter(isSettled), ...sound.filter((record) => !isSettled(record))] };
  }

  /** Answers as soon as one is as wanted. */
  async #some(records: readonly SessionRecord[], isWanted: (outcome: Outcome) => boolean): Promise<boolean> {
    const asked: Promise<void>[] = [];
    for (const { uuid } of records.slice(0, ASKED)) {
      await this.#place();
      asked.push(this.#ask(uuid, isWanted));
    }
    return Promise.any(asked).then(
      () => true,
      () => false,
    );
  }

  /** A pace that cannot be asked bounds nothing: Redis is away. */
  async #place(): Promise<void> {
    const { pace, surroundings } = this.#on;
    for (;;) {
      const ms = (await pace?.take().catch(() => 0)) ?? 0;
      if (ms === 0) return;
      await surroundings.pause(ms);
    }
  }

  async #ask(uuid: string, isWanted: (outcome: Outcome) => boolean): Promise<void> {
    const connection = await this.#on.pods.open();
    if (!connection || !isWanted(await connection.call('status', uuid, this.#on.surroundings.id()))) throw new Error('not as wanted');
  }
}

/** Whether the pod is as wanted, and no call for it is in flight. */
function isSettled(record: SessionRecord): boolean {
  const status = statusOf(record);
  return (status === 'active' || status === 'sleeping') && record.action === '';
}

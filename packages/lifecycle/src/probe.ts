import type { Outcome, PodControl, SessionStore } from '@sandman/core';
import type { Surroundings } from './surroundings.ts';

/** How many sessions are looked for whose calls do not fail, and how many of them are asked for. */
const SAMPLED = 20;
const ASKED = 3;

export interface ProbeOptions {
  readonly store: Pick<SessionStore, 'sample'>;
  readonly pods: PodControl;
  readonly surroundings: Pick<Surroundings, 'id'>;
}

/** Whether somebody is there who answers: that a pod does not exist, or that we may not ask, is an answer too. */
function isAnswer({ kind }: Outcome): boolean {
  return kind === 'done' || kind === 'gone' || kind === 'permanent';
}

/** Asks the session-manager for the statuses of some sessions whose calls do not fail: what fails may be only those that do. */
export class Probe {
  readonly #on: ProbeOptions;

  constructor(options: ProbeOptions) {
    this.#on = options;
  }

  /**
   * Answers as soon as one of them is answered for. Never throws.
   *
   * @param failing sessions whose calls failed just now
   */
  async answers(failing: { has(uuid: string): boolean }): Promise<boolean> {
    try {
      const sample = await this.#on.store.sample(SAMPLED);
      const sound = sample.filter(({ record }) => record.failures === 0 && !failing.has(record.uuid));
      const asked = (sound.length > 0 ? sound : sample).slice(0, ASKED);
      await Promise.any(asked.map(({ record }) => this.#ask(record.uuid)));
      return true;
    } catch {
      return false;
    }
  }

  async #ask(uuid: string): Promise<void> {
    const connection = await this.#on.pods.open();
    const outcome = await connection.call('status', uuid, this.#on.surroundings.id());
    if (!isAnswer(outcome)) throw new Error('no answer');
  }
}

import type { Composed } from './composed.ts';

/** How long a user thinks between two pings, in ms. */
const PAUSE_MS = 250;

/** Users who type and type: each of some sessions is pinged about four times a second, whatever becomes of the pings. */
export class SteadyPings {
  readonly uuids: readonly string[];
  readonly #composed: Composed;
  readonly #users: Promise<void>[];
  #answers = new Map<string, number>();
  #stopped = false;

  constructor(composed: Composed, uuids: readonly string[]) {
    this.#composed = composed;
    this.uuids = uuids;
    this.#users = uuids.map((uuid) => this.#type(uuid));
  }

  async #type(uuid: string): Promise<void> {
    while (!this.#stopped) {
      const answer = await this.#composed.call('POST', `/v1/sessions/${uuid}/activity`).then(
        ({ status }) => `${status}`,
        (error: Error) => `${error.cause ?? error}`,
      );
      this.#answers.set(answer, this.count(answer) + 1);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /** Pings that got this answer since it was last asked for all: a status, or what went wrong on the way. */
  count(answer: string): number {
    return this.#answers.get(answer) ?? 0;
  }

  /** How many pings got which answer since it was last asked. */
  take(): { readonly [answer: string]: number } {
    const taken = Object.fromEntries(this.#answers);
    this.#answers = new Map();
    return taken;
  }

  /** Sessions that were put to sleep though their users typed. */
  async asleep(): Promise<string[]> {
    const calls = await Promise.all(this.uuids.map((uuid) => this.#composed.calls(uuid)));
    return this.uuids.filter((_, i) => calls[i]!.includes('sleep'));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#users);
  }
}

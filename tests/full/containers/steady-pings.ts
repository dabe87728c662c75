import type { ComposeProject } from './compose-project.ts';

/** The pause between two pings of a user, in ms. */
const PAUSE_MS = 250;

/** Users who type all the time: each session gets about four pings per second, whatever the answers are. */
export class SteadyPings {
  readonly uuids: readonly string[];
  readonly #composed: ComposeProject;
  readonly #users: Promise<void>[];
  #answers = new Map<string, number>();
  #stopped = false;

  constructor(composed: ComposeProject, uuids: readonly string[]) {
    this.#composed = composed;
    this.uuids = uuids;
    this.#users = uuids.map((uuid) => this.#type(uuid));
  }

  async #type(uuid: string): Promise<void> {
    while (!this.#stopped) {
      const answer = await this.#composed.call<{ detail?: string }>('POST', `/v1/sessions/${uuid}/activity`).then(
        ({ status, body }) => (body.detail ? `${status} ${body.detail}` : `${status}`),
        (error: Error) => `${error.cause ?? error}`,
      );
      this.#answers.set(answer, this.count(answer) + 1);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /** Returns how many pings got this answer (a status, a status and the detail of its problem, or an error) since the last `take`. */
  count(answer: string): number {
    return this.#answers.get(answer) ?? 0;
  }

  /** Returns how many pings were refused with 503, whatever the detail, since the last `take`. */
  refused(): number {
    return [...this.#answers].reduce((sum, [answer, count]) => (answer.startsWith('503 ') ? sum + count : sum), 0);
  }

  /** Returns how many pings got which answer since the last call, and resets the counts. */
  take(): { readonly [answer: string]: number } {
    const taken = Object.fromEntries(this.#answers);
    this.#answers = new Map();
    return taken;
  }

  /** Returns the sessions that were put to sleep although their users typed. */
  async asleep(): Promise<string[]> {
    const calls = await Promise.all(this.uuids.map((uuid) => this.#composed.calls(uuid)));
    return this.uuids.filter((_, i) => calls[i]!.includes('sleep'));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#users);
  }
}

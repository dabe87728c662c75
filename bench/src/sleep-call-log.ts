import { waitFor } from '@sandman/sandbox';

/** The sleep calls that the session-manager received, and when each arrived, in ms since the epoch. */
export class SleepCallLog {
  readonly #url: string;
  readonly arrivals = new Map<string, number>();

  constructor(sessionManager: string) {
    this.#url = `${sessionManager}/journal`;
  }

  async read(): Promise<void> {
    const entries = (await (await fetch(this.#url)).json()) as [string, number][];
    // If a call is repeated, its first arrival counts.
    for (const [uuid, at] of entries) if (!this.arrivals.has(uuid)) this.arrivals.set(uuid, at);
  }

  /** Waits until the sleep calls of all these sessions have arrived. @param timeout ms */
  async all(uuids: Iterable<string>, timeout: number): Promise<void> {
    const missing = new Set(uuids);
    await waitFor(
      `${missing.size} sleeps`,
      async () => {
        await this.read();
        for (const uuid of missing) if (this.arrivals.has(uuid)) missing.delete(uuid);
        return missing.size === 0;
      },
      timeout,
    );
  }
}

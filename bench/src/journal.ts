import { waitFor } from '@sandman/testing';

/** The sleeps that the session-manager was told of, and when each came, ms. */
export class Journal {
  readonly #url: string;
  readonly arrivals = new Map<string, number>();

  constructor(sessionManager: string) {
    this.#url = `${sessionManager}/journal`;
  }

  async read(): Promise<void> {
    const entries = (await (await fetch(this.#url)).json()) as [string, number][];
    // A call that is repeated has come when it first came.
    for (const [uuid, at] of entries) if (!this.arrivals.has(uuid)) this.arrivals.set(uuid, at);
  }

  /** Until all of these have come. @param timeout ms */
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

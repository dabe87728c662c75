/** Remembers for one call which shards failed: nothing more is tried there, and the other shards are served nevertheless. */
export class ShardFaults {
  readonly #faults = new Map<number, unknown>();

  /**
   * Does something in a shard, unless something failed there before.
   *
   * @returns null where it failed, now or before
   */
  async attempt<T>(shard: number, work: () => Promise<T>): Promise<{ readonly value: T } | null> {
    if (this.#faults.has(shard)) return null;
    try {
      return { value: await work() };
    } catch (error) {
      this.#faults.set(shard, error);
      return null;
    }
  }

  /** @throws the first fault, where there was one */
  raise(): void {
    for (const error of this.#faults.values()) throw error;
  }
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly readiness: Readiness;
  }
}

/** A process that answered "ready" twice within this time, and did so this recently, is polled by a load balancer or Kubernetes, in ms. */
const POLLED_WITHIN_MS = 10_000;
/** How long pollers get to learn that the process leaves and to stop sending requests, in ms. */
const DRAIN_MS = 5_000;

/**
 * Says whether the process may get requests; `/readyz` answers from it. A load balancer that polls learns that the process leaves
 * before its port closes; otherwise the balancer would still send it pings, and these would be lost.
 */
export class Readiness {
  readonly #ready: () => Promise<boolean>;
  #lastReadyAt = Number.NEGATIVE_INFINITY;
  #polledAt = Number.NEGATIVE_INFINITY;
  #drained: Promise<void> | null = null;

  /** @param ready tells whether the process can serve requests */
  constructor(ready: () => Promise<boolean>) {
    this.#ready = ready;
  }

  /** Whether the shutdown has begun. The answers from now on should be the last on their connections. */
  get isDraining(): boolean {
    return this.#drained !== null;
  }

  /** Returns what `/readyz` is to answer, and notes whether callers poll. */
  async check(): Promise<boolean> {
    if (this.isDraining || !(await this.#ready())) return false;
    const now = performance.now();
    // A caller that only waits for the start stops after the first "ready", so it does not count as polling.
    if (now - this.#lastReadyAt < POLLED_WITHIN_MS) this.#polledAt = now;
    this.#lastReadyAt = now;
    return !this.isDraining;
  }

  /** Reports not ready from now on. Resolves when pollers should know it: after 5 s, or at once if there are none. */
  drain(): Promise<void> {
    const watched = performance.now() - this.#polledAt < POLLED_WITHIN_MS;
    this.#drained ??= new Promise((resolve) => (watched ? setTimeout(resolve, DRAIN_MS) : resolve()));
    return this.#drained;
  }
}

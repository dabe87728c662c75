declare module 'fastify' {
  interface FastifyInstance {
    readonly readiness: Readiness;
  }
}

/** Who heard "ready" so recently, and had heard it before, is taken to ask again: a balancer, or Kubernetes; ms. */
const WATCHED_MS = 10_000;
/** How long those who ask are given to hear that it leaves, and to send no more, in ms. */
const LEAVE_MS = 5_000;

/**
 * Whether the process may be sent requests, as `/readyz` says it. Whoever asks again and again is told before the process
 * goes: a balancer that finds a closed port instead has by then sent it somebody's ping.
 */
export class Readiness {
  readonly #ready: () => Promise<boolean>;
  #toldAt = Number.NEGATIVE_INFINITY;
  #toldAgainAt = Number.NEGATIVE_INFINITY;
  #left: Promise<void> | null = null;

  /** @param ready whether what is needed answers */
  constructor(ready: () => Promise<boolean>) {
    this.#ready = ready;
  }

  /** Whether it has been told to leave: what it still answers should be its caller's last request here. */
  get isLeaving(): boolean {
    return this.#left !== null;
  }

  /** What `/readyz` answers. */
  async tell(): Promise<boolean> {
    if (this.isLeaving || !(await this.#ready())) return false;
    const now = performance.now();
    // Who waits for its start asks until it is ready, and not again.
    if (now - this.#toldAt < WATCHED_MS) this.#toldAgainAt = now;
    this.#toldAt = now;
    return !this.isLeaving;
  }

  /** Says from now on that it is not ready; resolves when those who ask should know: after 5 s, at once where nobody does. */
  leave(): Promise<void> {
    const watched = performance.now() - this.#toldAgainAt < WATCHED_MS;
    this.#left ??= new Promise((resolve) => (watched ? setTimeout(resolve, LEAVE_MS) : resolve()));
    return this.#left;
  }
}

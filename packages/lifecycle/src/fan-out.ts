/**
 * How much work of all calls together, and of one call, may be at Redis at once, counted in touches. A touch takes 15 µs of
 * Redis' time, or 80 µs if it moves both alarms. A ping that arrives meanwhile waits 3 to 16 ms, far less than the time-out
 * of a command (800 ms). With half of these limits, batches by uuid reach a quarter fewer events per second, because Redis
 * then waits for the API.
 */
const MOST = 200;
const MOST_OF_ONE = 100;

/** Runs the parts of one call. */
export interface Lane {
  /**
   * Runs a part of the call when its turn comes.
   *
   * @param weight how many touches would take Redis as long as this part, from 1
   */
  run<T>(weight: number, part: () => Promise<T>): Promise<T>;
}

interface Part {
  readonly weight: number;
  readonly begin: () => Promise<void>;
}

interface FanOutRequest {
  readonly waiting: Part[];
  held: number;
}

/**
 * Bounds the work of calls that become many touches: calls by user, and batches. The calls take turns, part by part, so that
 * a large call delays a small one no longer than another small one would. Calls that are a single touch do not use this.
 */
export class FanOut {
  readonly #most: number;
  readonly #mostOfOne: number;
  /** Calls with waiting parts, in the order of their turns. */
  readonly #calls = new Set<FanOutRequest>();
  #held = 0;

  constructor(most = MOST, mostOfOne = MOST_OF_ONE) {
    this.#most = most;
    this.#mostOfOne = mostOfOne;
  }

  /** Returns a lane for the parts of one call. */
  lane(): Lane {
    const call: FanOutRequest = { waiting: [], held: 0 };
    return { run: (weight, part) => this.#run(call, weight, part) };
  }

  #run<T>(call: FanOutRequest, weight: number, part: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      call.waiting.push({ weight, begin: () => part().then(resolve, reject) });
      this.#calls.add(call);
      this.#grant();
    });
  }

  #grant(): void {
    for (let call = this.#next(); call; call = this.#next()) {
      const { weight, begin } = call.waiting.shift()!;
      // Moves the call to the end of the queue.
      this.#calls.delete(call);
      if (call.waiting.length > 0) this.#calls.add(call);
      this.#hold(call, weight);
      void begin().then(() => {
        this.#hold(call, -weight);
        this.#grant();
      });
    }
  }

  #hold(call: FanOutRequest, weight: number): void {
    this.#held += weight;
    call.held += weight;
  }

  /** Returns the call whose next part may begin; null: none. */
  #next(): FanOutRequest | null {
    for (const call of this.#calls) {
      const { weight } = call.waiting[0]!;
      if (call.held > 0 && call.held + weight > this.#mostOfOne) continue;
      // If the part does not fit yet, all calls wait, so that lighter parts of others cannot delay it forever.
      return this.#held === 0 || this.#held + weight <= this.#most ? call : null;
    }
    return null;
  }
}

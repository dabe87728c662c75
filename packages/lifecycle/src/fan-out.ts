/**
 * How much of Redis' time the parts of all calls may take at once, and those of one call, counted in touches. A touch takes
 * 15 µs, and 80 where it moves both alarms: a ping that comes meanwhile waits 3 to 16 ms, far less than the time-out of a
 * command (800 ms). With half of that, batches by uuid reach a quarter fewer events per second: Redis would wait for the API.
 */
const MOST = 200;
const MOST_OF_ONE = 100;

/** Runs the parts of one call. */
export interface Lane {
  /**
   * Runs a part of the call when it has its turn.
   *
   * @param weight how many touches Redis could serve in the same time, from 1
   */
  run<T>(weight: number, part: () => Promise<T>): Promise<T>;
}

interface Part {
  readonly weight: number;
  readonly begin: () => Promise<void>;
}

interface Call {
  readonly waiting: Part[];
  held: number;
}

/**
 * Bounds the work of calls that expand to many touches: those by user, and batches. Their parts take turns, one of each
 * call, so that a large call delays a small one no longer than another small one would. What is one touch from the start
 * does not come here.
 */
export class FanOut {
  readonly #most: number;
  readonly #mostOfOne: number;
  /** Calls with parts that wait, in the order of their turns. */
  readonly #calls = new Set<Call>();
  #held = 0;

  constructor(most = MOST, mostOfOne = MOST_OF_ONE) {
    this.#most = most;
    this.#mostOfOne = mostOfOne;
  }

  /** A lane for the parts of one call. */
  lane(): Lane {
    const call: Call = { waiting: [], held: 0 };
    return { run: (weight, part) => this.#run(call, weight, part) };
  }

  #run<T>(call: Call, weight: number, part: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      call.waiting.push({ weight, begin: () => part().then(resolve, reject) });
      this.#calls.add(call);
      this.#grant();
    });
  }

  #grant(): void {
    for (let call = this.#next(); call; call = this.#next()) {
      const { weight, begin } = call.waiting.shift()!;
      // To the end of the line.
      this.#calls.delete(call);
      if (call.waiting.length > 0) this.#calls.add(call);
      this.#hold(call, weight);
      void begin().then(() => {
        this.#hold(call, -weight);
        this.#grant();
      });
    }
  }

  #hold(call: Call, weight: number): void {
    this.#held += weight;
    call.held += weight;
  }

  /** The call whose next part may begin; null: none. */
  #next(): Call | null {
    for (const call of this.#calls) {
      const { weight } = call.waiting[0]!;
      if (call.held > 0 && call.held + weight > this.#mostOfOne) continue;
      // It waits until its part fits: lighter ones of others must not keep it out for ever.
      return this.#held === 0 || this.#held + weight <= this.#most ? call : null;
    }
    return null;
  }
}

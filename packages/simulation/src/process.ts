import type { Random } from '@sandman/core';
import type { Surroundings } from '@sandman/lifecycle';
import type { Timeline } from './timeline.ts';

/** A process of ours: it can be paused, and killed at any `await`. */
export class SimulatedProcess {
  readonly name: string;
  /** How far its wall clock is off, in ms. */
  readonly skew: number;
  readonly surroundings: Surroundings;
  /** When it last was paused or died; since then it may have missed something. */
  hamperedAt = Number.NEGATIVE_INFINITY;
  #alive = true;
  #paused = false;
  readonly #timeline: Timeline;
  readonly #arrived: (() => void)[] = [];

  constructor(name: string, skew: number, timeline: Timeline, random: Random) {
    this.name = name;
    this.skew = skew;
    this.#timeline = timeline;
    let ids = 0;
    this.surroundings = {
      elapsed: () => timeline.now,
      chance: () => random.next(),
      id: () => `${name}.${++ids}`,
      pause: (ms) => new Promise((resolve) => timeline.in(ms, () => this.deliver(resolve))),
      every: (ms, run) => this.#every(ms, run),
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  get running(): boolean {
    return this.#alive && !this.#paused;
  }

  /** Something for this process to go on with: at once, when it is resumed, or never. */
  deliver(run: () => void): void {
    if (!this.#alive) return;
    if (this.#paused) this.#arrived.push(run);
    else run();
  }

  pause(): void {
    this.#paused = true;
    this.hamperedAt = this.#timeline.now;
  }

  resume(): void {
    this.#paused = false;
    this.hamperedAt = this.#timeline.now;
    // One after the other, as an event loop has it: each may be followed by what others do.
    for (const run of this.#arrived.splice(0)) this.#timeline.in(0, () => this.deliver(run));
  }

  /** `kill -9`: whatever it waits for never comes. */
  kill(): void {
    this.#alive = false;
    this.hamperedAt = this.#timeline.now;
    this.#arrived.length = 0;
  }

  #every(ms: number, run: () => void): () => void {
    let missed = false;
    let cancel = () => {};
    const tick = () => {
      cancel = this.#timeline.in(ms, tick);
      if (this.running) run();
      else if (this.#alive && !missed) {
        // However many it slept through, a timer fires once when the process goes on.
        missed = true;
        this.deliver(() => {
          missed = false;
          run();
        });
      } else if (!this.#alive) cancel();
    };
    cancel = this.#timeline.in(ms, tick);
    return () => cancel();
  }
}

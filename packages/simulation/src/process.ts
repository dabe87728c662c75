import type { Random } from '@sandman/core';
import type { System } from '@sandman/lifecycle';
import type { Timeline } from './timeline.ts';

/** A simulated API or worker process: it can be paused, and killed at any `await`. */
export class SimulatedProcess {
  readonly name: string;
  /** By how much its wall clock is ahead, in ms. */
  readonly skew: number;
  readonly system: System;
  /** When it was last paused, resumed or killed; it may have missed events then. */
  interruptedAt = Number.NEGATIVE_INFINITY;
  #alive = true;
  #paused = false;
  readonly #timeline: Timeline;
  readonly #deferred: (() => void)[] = [];

  constructor(name: string, skew: number, timeline: Timeline, random: Random) {
    this.name = name;
    this.skew = skew;
    this.#timeline = timeline;
    let ids = 0;
    this.system = {
      elapsed: () => timeline.now,
      random: () => random.next(),
      newId: () => `${name}.${++ids}`,
      pause: (ms) => new Promise((resolve) => timeline.in(ms, () => this.deliver(resolve))),
      every: (ms, run) => this.#every(ms, run),
      after: (ms, run) => timeline.in(ms, () => this.deliver(run)),
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  get running(): boolean {
    return this.#alive && !this.#paused;
  }

  /** Runs a callback in this process: at once, when it is resumed if it is paused, never if it was killed. */
  deliver(run: () => void): void {
    if (!this.#alive) return;
    if (this.#paused) this.#deferred.push(run);
    else run();
  }

  pause(): void {
    this.#paused = true;
    this.interruptedAt = this.#timeline.now;
  }

  resume(): void {
    this.#paused = false;
    this.interruptedAt = this.#timeline.now;
    // Each as an event of its own, as in an event loop: other processes may act in between.
    for (const run of this.#deferred.splice(0)) this.#timeline.in(0, () => this.deliver(run));
  }

  /** Ends it as `kill -9` does: no callback of it runs any more. */
  kill(): void {
    this.#alive = false;
    this.interruptedAt = this.#timeline.now;
    this.#deferred.length = 0;
  }

  #every(ms: number, run: () => void): () => void {
    let missed = false;
    let cancel = () => {};
    const tick = () => {
      cancel = this.#timeline.in(ms, tick);
      if (this.running) run();
      else if (this.#alive && !missed) {
        // A timer fires once when the process is resumed, however many periods it missed.
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

import type { Random } from '@sandman/core';
import type { SimulatedProcess } from './process.ts';
import type { Timeline } from './timeline.ts';

/** The two connections of the runtime: for a `request` a caller waits, so it fails soon; a `worker` sends its commands again. */
export type ConnectionRole = 'request' | 'worker';

/** Runs one atomic command in Redis. */
export type Command = <T>(effect: () => T) => Promise<T>;

const COMMAND_TIMEOUT_MS = 800;
const RECONNECT_MS = 500;

class RedisUnreachable extends Error {
  override readonly name = 'RedisUnreachable';
}

/** Connects to a simulated Redis that can be down or frozen, or lose a reply. A worker's command is then sent again. */
export class SimulatedRedis {
  /** The share of replies that get lost, 0 to 1. */
  lossy = 0;
  #up = true;
  #frozen = false;
  /** Incremented when all connections break. */
  #epoch = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #lost: () => void;

  /** @param lost called for each reply that gets lost */
  constructor(timeline: Timeline, random: Random, lost: () => void) {
    this.#timeline = timeline;
    this.#random = random;
    this.#lost = lost;
  }

  get serving(): boolean {
    return this.#up && !this.#frozen;
  }

  kill(): void {
    this.#up = false;
    this.#epoch++;
  }

  freeze(): void {
    this.#frozen = true;
  }

  /** Starts Redis again after `kill`, or lets it go on after `freeze`. */
  restore(): void {
    this.#up = true;
    this.#frozen = false;
    for (const go of this.#waiting.splice(0)) this.#timeline.in(this.#random.between(0, RECONNECT_MS), go);
  }

  /** Opens the connection of a process. */
  connect(process: SimulatedProcess, role: ConnectionRole): Command {
    return (effect) =>
      new Promise((resolve, reject) => {
        let settled = false;
        let cancelTimeout = () => {};
        const settle = (run: () => void) => {
          if (settled) return;
          settled = true;
          cancelTimeout();
          process.deliver(run);
        };
        const away = () => settle(() => reject(new RedisUnreachable('Connection is closed.')));
        const again = () => {
          if (role === 'request') this.#timeline.in(1, away);
          else if (process.alive) this.#up ? this.#timeline.in(this.#random.between(1, RECONNECT_MS), send) : this.#waiting.push(send);
        };
        const send = () => {
          if (!process.alive) return;
          if (!this.#up) return again();
          const epoch = this.#epoch;
          const latency = this.#latency();
          if (latency === 0) arrive(epoch);
          else this.#timeline.in(latency, () => arrive(epoch));
        };
        const arrive = (epoch: number) => {
          if (epoch !== this.#epoch) return again();
          // A command in a frozen server's buffer runs when the server goes on, even if its sender no longer waits.
          if (this.#frozen) return void this.#waiting.push(() => arrive(epoch));
          const value = effect();
          const lost = this.#random.chance(this.lossy);
          if (lost) this.#lost();
          this.#timeline.in(this.#latency(), () => {
            if (lost || epoch !== this.#epoch) again();
            else settle(() => resolve(value));
          });
        };
        if (role === 'request') cancelTimeout = this.#timeline.in(COMMAND_TIMEOUT_MS, away);
        send();
      });
  }

  #latency(): number {
    return this.#random.chance(0.6) ? 0 : this.#random.between(1, 4);
  }
}

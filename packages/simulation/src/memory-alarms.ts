import type { Alarm, AlarmClock, AlarmEnd, AlarmRef, Random } from '@sandman/core';
import type { SimulatedProcess } from './process.ts';
import type { Command, SimulatedRedis } from './redis.ts';
import type { Timeline } from './timeline.ts';

interface SimulatedJob {
  readonly ref: AlarmRef;
  readonly state: 'delayed' | 'active';
  /** When it rings, ms. */
  readonly at: number;
}

/** A process that handles alarms. */
export interface Handler {
  readonly process: SimulatedProcess;
  readonly command: Command;
  readonly handle: (alarm: AlarmRef) => Promise<AlarmEnd>;
}

/** What may go wrong with jobs. */
export interface JobFaults {
  /** By how much a job may ring early, in ms. */
  early: number;
  /** The share of jobs that run twice at once, 0 to 1. */
  doubled: number;
}

/** How long the job of a killed or paused worker stays locked, in ms: BullMQ's lock, and the interval of its check for stalled jobs. */
const STALL_MS = { least: 5_000, most: 7_500 };
/** By how much a due job may ring late, in ms. */
const RING_DELAY_MS = 20;

function idOf({ name, uuid, n }: AlarmRef): string {
  return `${name}-${uuid}-${n}`;
}

/** Simulates BullMQ's delayed jobs: they ring late, early or twice, stall with their worker, and can be lost. */
export class SimulatedQueue {
  readonly faults: JobFaults = { early: 0, doubled: 0 };
  readonly #handlers = new Set<Handler>();
  #jobs = new Map<string, SimulatedJob>();
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #redis: SimulatedRedis;

  constructor(timeline: Timeline, random: Random, redis: SimulatedRedis) {
    this.#timeline = timeline;
    this.#random = random;
    this.#redis = redis;
  }

  join(handler: Handler): void {
    this.#handlers.add(handler);
  }

  leave(handler: Handler): void {
    this.#handlers.delete(handler);
  }

  /** The alarm clock of one process. Job times are wall-clock times, so they contain the skew of its clock. */
  clockOf({ skew }: SimulatedProcess, command: Command): AlarmClock {
    const place = (at: number) => Math.max(this.#timeline.now, at) + skew;
    return {
      arm: (uuid, n, alarms: readonly Alarm[]) =>
        Promise.all(
          alarms.map(({ name, at }) => {
            const due = place(at);
            return command(() => {
              const ref = { name, uuid, n };
              if (!this.#jobs.has(idOf(ref))) this.#delay(ref, due);
            });
          }),
        ).then(() => {}),
      move: (ref, at) => {
        if (!(at > this.#timeline.now)) return Promise.resolve(true);
        const due = place(at);
        return command(() => {
          const job = this.#jobs.get(idOf(ref));
          if (job?.state === 'delayed') this.#delay(ref, due);
          return job !== undefined;
        });
      },
      disarm: (uuid, n, names) =>
        command(() => {
          // BullMQ does not remove a job that runs.
          for (const name of names) {
            const id = idOf({ name, uuid, n });
            if (this.#jobs.get(id)?.state === 'delayed') this.#jobs.delete(id);
          }
        }),
      due: () =>
        command(() => {
          const dues = [...this.#jobs.values()].filter(({ ref, state }) => ref.name !== 'wake' && state === 'delayed').map(({ at }) => at);
          return dues.length === 0 ? null : Math.min(...dues);
        }),
      rings: (ref) =>
        command(() => {
          const job = this.#jobs.get(idOf(ref));
          return job ? (job.state === 'active' ? 0 : job.at) : null;
        }),
    };
  }

  /** Deletes a random job, which no crash of a process can do. @returns whether there was one */
  lose(): boolean {
    return this.#jobs.delete(this.#random.pick([...this.#jobs.keys()]) ?? '');
  }

  snapshot(): ReadonlyMap<string, SimulatedJob> {
    return new Map(this.#jobs);
  }

  /** Goes back to a snapshot. A job that was active then runs again once its lock has expired. */
  restore(jobs: ReadonlyMap<string, SimulatedJob>): void {
    this.#jobs = new Map();
    for (const { ref, at, state } of jobs.values()) this.#delay(ref, state === 'delayed' ? at : this.#timeline.now + STALL_MS.most);
  }

  #delay(ref: AlarmRef, at: number): void {
    const job: SimulatedJob = { ref, state: 'delayed', at };
    this.#jobs.set(idOf(ref), job);
    const off =
      this.faults.early > 0 && this.#random.chance(0.3)
        ? -this.#random.between(0, this.faults.early)
        : this.#random.between(0, RING_DELAY_MS);
    this.#timeline.in(at + off - this.#timeline.now, () => this.#ring(job));
  }

  #ring(job: SimulatedJob): void {
    if (this.#jobs.get(idOf(job.ref)) !== job) return;
    const able = [...this.#handlers].filter(({ process }) => process.running);
    if (!this.#redis.serving || able.length === 0) {
      this.#timeline.in(100, () => this.#ring(job));
      return;
    }
    const times = this.#random.chance(this.faults.doubled) ? 2 : 1;
    for (let i = 0; i < times; i++) this.#start(job.ref, this.#random.pick(able));
  }

  #start(ref: AlarmRef, handler: Handler): void {
    const job: SimulatedJob = { ref, state: 'active', at: this.#timeline.now };
    this.#jobs.set(idOf(ref), job);
    const mine = () => this.#jobs.get(idOf(ref)) === job;
    const end = async () => {
      const result = await handler.handle(ref).catch(() => ({ kind: 'completed' }) as const);
      const due = result.kind === 'again' ? this.#timeline.now + result.ms + handler.process.skew : 0;
      await handler.command(() => {
        if (!mine()) return;
        if (result.kind === 'completed') this.#jobs.delete(idOf(ref));
        else this.#delay(ref, due);
      });
    };
    handler.process.deliver(() => void end());
    this.#watch(job, handler.process);
  }

  /** Lets a job run again if its worker no longer renews its lock. */
  #watch(job: SimulatedJob, process: SimulatedProcess, lapse = this.#random.between(STALL_MS.least, STALL_MS.most)): void {
    this.#timeline.in(lapse, () => {
      if (this.#jobs.get(idOf(job.ref)) !== job) return;
      const left = process.interruptedAt + STALL_MS.least - this.#timeline.now;
      if (process.running) this.#watch(job, process);
      else if (left > 0) this.#watch(job, process, left);
      else this.#delay(job.ref, this.#timeline.now);
    });
  }
}

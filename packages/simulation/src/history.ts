import { Random } from '@sandman/core';
import type { Checked } from './expectations.ts';
import { CALL_FAULTS } from './pods.ts';
import type { SimulatedProcess } from './process.ts';
import { recoveryMs } from './promise-checker.ts';
import { World } from './world.ts';

/** How long faults occur in a history, in ms. */
const FAULTS_MS = 40_000;
/** How long a history goes on after the recovery, in ms: enough for a last visit, an idle period, a sleep and a delete. */
const QUIET_MS = 32_000;

export interface History {
  readonly seed: number;
  /** Describes the first broken promise; null: none was broken. */
  readonly violation: string | null;
  readonly checked: Checked;
  /** How many processes were killed. */
  readonly kills: number;
}

/** Events of each history that run before the finished histories are taken out. */
const TURNS_PER_CHECK = 50;

/** Waits until all promises that the current event settles have been handled. */
function untilPromisesHandled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

class FaultInjector {
  kills = 0;
  #strayed = false;
  readonly #world: World;
  readonly #random: Random;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  /** Chooses the faults of this history and when they occur. */
  schedule(): void {
    const random = this.#random;
    const world = this.#world;
    if (random.chance(0.1)) return;
    const kinds: (() => void)[] = [
      () => this.#severalTimes(() => this.#killOneOf(world.workers, () => world.startWorker())),
      () => this.#severalTimes(() => this.#killOneOf(world.apis, () => world.startApi())),
      () => this.#severalTimes(() => this.#pause()),
      () => this.#severalTimes(() => world.outage('kill', random.between(50, 6_000))),
      () => this.#severalTimes(() => world.outage('freeze', random.between(50, 5_000))),
      () => this.#atRandomTime(() => this.#killAllApis(random.between(2_000, 9_000))),
      () => this.#atRandomTime(() => world.failOver(random.between(1, 1_500))),
      () => this.#forAWhile((on) => this.#loseRequests(on)),
      () => this.#atRandomTime(() => this.#freezeAndKillApis()),
      () => this.#severalTimes(() => world.loseJob()),
      () => this.#forAWhile((on) => Object.assign(world.redis, { lossy: on ? 0.03 : 0 })),
      () => this.#forAWhile((on) => Object.assign(world.queue.faults, { doubled: on ? 0.3 : 0, early: on ? 300 : 0 })),
      () => this.#forAWhile((on) => this.#interruptCalls(on)),
      () => this.#forAWhile((on) => this.#lateDeletes(on)),
      () => this.#forAWhile((on) => this.#failCalls(on)),
      () => this.#forAWhile((on) => this.#failCalls(on)),
      () => this.#strayNotFounds(),
      () => this.#severalTimes(() => this.#scaleByOthers()),
      () => this.#forAWhile((on) => Object.assign(world.pods, { connectsWithin: on ? world.slowestConnection : 3 })),
      () => this.#severalTimes(() => world.setClockBack(random.between(1_000, 60_000))),
    ];
    const most = random.pick([1, 2, 4]);
    for (let i = 0; i < most; i++) random.pick(kinds)();
  }

  #failCalls(on: boolean): void {
    const { pods } = this.#world;
    pods.faultRate = on ? this.#random.pick([0.2, 0.6, 1]) : 0;
    pods.faults = this.#random.chance(0.5) ? [this.#random.pick(CALL_FAULTS)] : CALL_FAULTS;
  }

  /** Answers 404 for existing pods: for less than the 10 s that confirm a 404, or the 30 s after a creation in which none is believed. */
  #strayNotFounds(): void {
    const { pods, timeline } = this.#world;
    if (this.#strayed) return;
    this.#strayed = true;
    if (this.#random.chance(0.5)) {
      pods.hiddenFor = this.#random.between(1_000, 28_000);
      return;
    }
    this.#atRandomTime(() => {
      pods.unreachable = true;
      timeline.in(this.#random.between(500, 9_500), () => {
        pods.unreachable = false;
      });
    });
  }

  /** Scales a pod without Sandman, as the drain of a node or an operator does. */
  #scaleByOthers(): void {
    const { pods, state, checker } = this.#world;
    const uuid = this.#random.pick([...state.records.keys()]);
    const pod = this.#random.chance(0.7) ? 'asleep' : 'awake';
    if (uuid === undefined || pods.actualState(uuid) === pod || !pods.scale(uuid, pod)) return;
    this.#world.trace(`somebody else scales the pod of ${uuid}: ${pod}`);
    checker.scaled(uuid);
  }

  /** Pauses or kills workers while their calls are in flight. */
  #interruptCalls(on: boolean): void {
    const world = this.#world;
    const random = this.#random;
    world.onCall = ({ process }) => {
      if (!on || !random.chance(0.2)) return;
      // Its call may then take effect after another worker has taken over.
      if (random.chance(0.7)) world.pods.nextFault = 'late';
      world.timeline.in(random.between(0, 40), () => {
        if (!process.running) return;
        if (random.chance(0.5)) world.pause(process, random.between(100, 14_000));
        else this.#kill(process, () => world.startWorker());
      });
    };
  }

  /** Lets deletes take effect late, when the uuid may already have a new pod. */
  #lateDeletes(on: boolean): void {
    const world = this.#world;
    world.onCall = ({ action }) => {
      if (on && action === 'delete' && this.#random.chance(0.6)) world.pods.nextFault = 'late';
    };
  }

  /** Lets Redis fail over, and lose what a request wrote and what followed from it. */
  #loseRequests(on: boolean): void {
    const world = this.#world;
    world.onRequest = () => {
      if (on && this.#random.chance(0.15)) world.failOver(this.#random.between(20, 800));
    };
  }

  /** Freezes Redis and kills all APIs meanwhile: their heartbeats are still in its socket when it goes on. */
  #freezeAndKillApis(): void {
    const frozen = this.#random.between(600, 5_000);
    this.#world.outage('freeze', frozen);
    this.#world.timeline.in(this.#random.between(0, frozen), () => this.#killAllApis(this.#random.between(2_000, 9_000)));
  }

  /** Kills a process; `replace` starts another one within 5 s. */
  #kill(process: SimulatedProcess, replace: () => void): void {
    this.kills++;
    this.#world.kill(process);
    this.#world.timeline.in(this.#random.between(0, 5_000), () => {
      replace();
      this.#world.checker.noteInterruption();
    });
  }

  #atRandomTime(happen: () => void): void {
    this.#world.timeline.in(this.#random.between(0, FAULTS_MS), happen);
  }

  #severalTimes(happen: () => void): void {
    for (let i = this.#random.between(1, 5); i > 0; i--) this.#atRandomTime(happen);
  }

  #forAWhile(turn: (on: boolean) => void): void {
    const from = this.#random.between(0, FAULTS_MS);
    this.#world.timeline.in(from, () => turn(true));
    this.#world.timeline.in(from + this.#random.between(500, FAULTS_MS - from), () => turn(false));
  }

  #killOneOf(list: readonly { readonly process: SimulatedProcess }[], replace: () => void): void {
    if (list.length > 0) this.#kill(this.#random.pick(list).process, replace);
  }

  #killAllApis(ms: number): void {
    const { apis, timeline } = this.#world;
    const count = apis.length;
    this.kills += count;
    for (const { process } of [...apis]) this.#world.kill(process);
    timeline.in(ms, () => {
      for (let i = 0; i < count; i++) this.#world.startApi();
      this.#world.checker.noteInterruption();
    });
  }

  #pause(): void {
    const { workers, apis } = this.#world;
    const running = [...workers, ...apis].filter(({ process }) => process.running);
    if (running.length === 0) return;
    this.#world.pause(this.#random.pick(running).process, this.#random.between(100, 14_000));
  }
}

/** Runs histories side by side: each has its own virtual time, and they share the turns of the event loop. */
export async function runHistories(seeds: readonly number[], trace?: (text: string) => void): Promise<History[]> {
  const runs = seeds.map((seed) => {
    const random = new Random(seed);
    // In 30 % of the histories a call may last longer than a lease (8 s).
    const bounds = { timeout: random.chance(0.3) ? 11_000 : 2_000, late: random.pick([1_500, 5_000]) };
    // In every other history alarms stop at a warning first; that must break no promise.
    const warning = seed % 2 === 0 ? 1_500 : 0;
    const deleteWarning = seed % 4 === 2 ? 3_500 : 0;
    // In every third history users also keep sessions, and delete them with a grace or by force.
    const leaving = seed % 3 === 1 ? new Random(~seed) : null;
    // In every fifth history, rollouts change the sessions' policy again and again.
    const world = new World({
      random,
      skew: random.pick([0, 0, 150]),
      bounds,
      warning,
      deleteWarning,
      leaving,
      rollouts: seed % 5 === 0,
      ...(trace ? { trace } : {}),
    });
    const calm = FAULTS_MS + recoveryMs(bounds);
    const end = world.timeline.now + calm + QUIET_MS;
    for (let i = random.between(1, 2); i > 0; i--) world.startApi();
    for (let i = random.between(1, 2); i > 0; i--) world.startWorker();
    const faults = new FaultInjector(world, random);
    // In every tenth history the only fault is that 6 of 8 pods are broken; it must not affect the other two.
    const broken = seed % 10 === 7 ? 6 : 0;
    if (broken === 0) faults.schedule();
    const sessions = broken > 0 ? broken + 2 : random.chance(0.05) ? 7 : random.between(1, 2);
    for (let i = 0; i < broken; i++) world.pods.broken.add(`s${i}`);
    for (let i = 0; i < sessions; i++) {
      const user = world.user(`s${i}`);
      user.live(world.timeline.now + FAULTS_MS);
      // Each user pings once more after the recovery; from then on everything must be punctual.
      world.timeline.in(calm + random.between(2_000, 4_000), () => user.ping());
    }
    return { seed, world, faults, end };
  });
  let left = runs;
  while (left.length > 0) {
    for (let turn = 0; turn < TURNS_PER_CHECK; turn++) {
      for (const { world } of left) if (world.checker.violation === null) world.timeline.step();
      await untilPromisesHandled();
    }
    left = left.filter(({ world, end }) => world.timeline.now < end && world.checker.violation === null);
  }
  return runs.map(({ seed, world, faults }) => ({
    seed,
    violation: world.checker.violation,
    checked: world.checker.checked,
    kills: faults.kills,
  }));
}

import { HEARTBEAT_STALE_MS, PolicySet, type Random } from '@sandman/core';
import { type PolicySource, unchanging } from '@sandman/lifecycle';
import { startSimulatedApi, startSimulatedWorker } from './assembly.ts';
import { type Handler, SimulatedQueue } from './memory-alarms.ts';
import { copyShard, emptyShard, type MemoryShard, MemoryStore, type RecordWrite } from './memory-store.ts';
import { type CallTimeLimits, type SimulatedCall, SimulatedPods } from './pods.ts';
import { SimulatedProcess } from './process.ts';
import { PromiseChecker } from './promise-checker.ts';
import { type Command, SimulatedRedis } from './redis.ts';
import { ROLLOUT_POLICY, Rollouts } from './rollouts.ts';
import { Timeline } from './timeline.ts';
import { type SimulatedApi, SimulatedUser } from './users.ts';

const START_TIME = 1_800_000_000_000;
const SLACK_PERCENT = 1;
const BETWEEN_FAILOVERS_MS = 10_000;
const SAMPLE_EVERY_MS = 400;
const PATROL_EVERY_MS = 500;
/** Within this time after a failover, in ms, a heartbeat notices the lost writes, or none ever does. */
const NOTICE_MS = 1_500;

export interface WorldOptions {
  readonly random: Random;
  /** By how much the processes' clocks may differ from that of Redis, in ms. */
  readonly skew: number;
  readonly bounds: CallTimeLimits;
  /** How long before an idle sleep a warning is due, in ms; 0, the default: there are no warnings. */
  readonly warning?: number;
  /** How long before an idle delete a warning is due, in ms; 0, the default: there are no warnings. */
  readonly deleteWarning?: number;
  /** Draws requests to keep sessions, and to delete them with a grace or by force; null, the default: users send none. */
  readonly leaving?: Random | null;
  /** Whether rollouts change the policy of all sessions again and again. */
  readonly rollouts?: boolean;
  /** Whether workers patrol; they do by default. */
  readonly patrols?: boolean;
  /** Receives a line of text for each event. */
  readonly trace?: (text: string) => void;
}

/** A deployment in virtual time: the production lifecycle on simulated Redis, BullMQ, session-manager and processes. */
export class World {
  readonly timeline = new Timeline(START_TIME);
  readonly checker: PromiseChecker;
  readonly redis: SimulatedRedis;
  readonly queue: SimulatedQueue;
  readonly pods: SimulatedPods;
  readonly apis: SimulatedApi[] = [];
  readonly workers: Handler[] = [];
  /** Called at each call to the session-manager, so that a fault can strike during one. */
  onCall: (call: SimulatedCall) => void = () => {};
  /** Called for each warning, when it has reached Redis. */
  onWarning: (uuid: string, of: 'sleep' | 'delete', at: number) => void = () => {};
  /** Called at each write of a record, before the writer gets its reply. */
  onWrite: (write: RecordWrite) => void = () => {};
  /** Called before each request of a user is sent. */
  onRequest: () => void = () => {};
  readonly #random: Random;
  readonly #skew: number;
  readonly #rollouts: Rollouts | null;
  readonly #leaving: Random | null;
  readonly #patrols: boolean;
  readonly #bounds: CallTimeLimits;
  readonly #trace: ((text: string) => void) | undefined;
  #state: MemoryShard = emptyShard();
  #processes = 0;
  #patrolAt = 0;
  /** Since when no API runs, in ms; -Infinity: one does. */
  #noApiSince = Number.NEGATIVE_INFINITY;

  constructor({
    random,
    skew,
    bounds,
    warning = 0,
    deleteWarning = 0,
    leaving = null,
    rollouts = false,
    patrols = true,
    trace,
  }: WorldOptions) {
    this.#patrols = patrols;
    this.#leaving = leaving;
    this.#state.intake = { ...this.#state.intake, warning, deleteWarning };
    this.#bounds = bounds;
    this.#random = random;
    this.#skew = skew;
    this.#trace = trace;
    this.checker = new PromiseChecker(this.timeline, bounds, () => this.pods);
    this.redis = new SimulatedRedis(this.timeline, random, () => this.checker.noteFault());
    this.queue = new SimulatedQueue(this.timeline, random, this.redis);
    this.pods = new SimulatedPods(this.timeline, random, bounds, {
      called: (call) => {
        this.trace(`${call.process.name} calls ${call.action} ${call.uuid}`);
        this.checker.called(call, this.#state);
        this.onCall(call);
      },
      tookEffect: (call) => this.checker.callTookEffect(call, this.#state),
      faulted: (fault) => {
        this.trace(`the session-manager: ${fault}`);
        this.checker.noteFault();
      },
    });
    const sample = () => {
      this.checker.sample(this.#state);
      this.timeline.in(SAMPLE_EVERY_MS, sample);
    };
    sample();
    this.#rollouts = rollouts
      ? new Rollouts({
          timeline: this.timeline,
          random,
          state: () => this.#state,
          apis: this.apis,
          workers: this.workers,
          replace: (process) => this.#replace(process),
          trace: (text) => this.trace(text),
        })
      : null;
    this.#rollouts?.rollOut(1);
  }

  #replace(process: SimulatedProcess): void {
    if (!process.alive) return;
    const isApi = this.apis.some((api) => api.process === process);
    this.kill(process);
    if (isApi) this.startApi();
    else this.startWorker();
    this.checker.noteInterruption();
  }

  get state(): MemoryShard {
    return this.#state;
  }

  trace(text: string): void {
    this.#trace?.(`${String(this.timeline.now - START_TIME).padStart(7)} ${text}`);
  }

  user(uuid: string): SimulatedUser {
    return new SimulatedUser(uuid, {
      timeline: this.timeline,
      random: this.#random,
      leaving: this.#leaving,
      policyName: this.#rollouts ? ROLLOUT_POLICY : 'custom',
      checker: this.checker,
      pods: this.pods,
      state: () => this.#state,
      pickApi: () => {
        this.onRequest();
        const open = this.apis.filter(({ process }) => process.running);
        return open.length > 0 ? this.#random.pick(open) : null;
      },
      trace: (text) => this.trace(text),
    });
  }

  startApi(): void {
    const process = this.#process('api');
    const ports = this.#ports(process, 'request');
    this.apis.push(startSimulatedApi({ ...ports, policies: this.#policiesOf(process, ports.command, false) }));
    this.updateIntake();
  }

  startWorker(): void {
    const process = this.#process('worker');
    const ports = this.#ports(process, 'worker');
    const worker = startSimulatedWorker({
      ...ports,
      policies: this.#policiesOf(process, ports.command, this.#random.chance(0.3)),
      pods: this.pods.controlFrom(process),
      bounds: { doubt: this.#bounds.timeout + this.#bounds.late },
      patrols: this.#patrols ? { take: () => ports.command(() => this.#patrolPace()) } : null,
      warned: (uuid, of, at) => {
        if (of === 'delete') this.checker.warnedOfDelete(uuid, at, this.#state.intake.deleteWarning);
        this.onWarning(uuid, of, at);
      },
      repaired: (fault, uuid) => this.checker.repaired(fault, uuid),
      epoch: START_TIME,
    });
    this.workers.push(worker);
    this.queue.join(worker);
  }

  #policiesOf(process: SimulatedProcess, command: Command, announcesNone: boolean): PolicySource {
    return this.#rollouts?.policiesOf(process, command, announcesNone) ?? unchanging(new PolicySet().default);
  }

  /** Limits the patrols of all workers together. @returns how long to wait, in ms; 0: the turn is taken */
  #patrolPace(): number {
    const left = this.#patrolAt - this.timeline.now;
    if (left > 0) return left;
    this.#patrolAt = this.timeline.now + PATROL_EVERY_MS;
    return 0;
  }

  kill(process: SimulatedProcess): void {
    this.trace(`${process.name} is killed`);
    process.kill();
    for (const handler of this.workers.filter((one) => one.process === process)) this.queue.leave(handler);
    this.#drop(this.apis, process);
    this.#drop(this.workers, process);
    this.checker.noteInterruption();
    this.updateIntake();
  }

  pause(process: SimulatedProcess, ms: number): void {
    this.trace(`${process.name} is paused for ${ms} ms`);
    process.pause();
    this.checker.noteInterruption();
    this.updateIntake();
    this.timeline.in(ms, () => {
      if (!process.alive) return;
      this.trace(`${process.name} goes on`);
      process.resume();
      this.checker.noteInterruption();
      this.updateIntake();
    });
  }

  /** Kills or freezes Redis for `ms`. */
  outage(kind: 'kill' | 'freeze', ms: number): void {
    if (!this.redis.serving) return;
    this.trace(`Redis: ${kind} for ${ms} ms`);
    this.redis[kind]();
    this.checker.noteInterruption();
    this.updateIntake();
    this.timeline.in(ms, () => {
      this.trace('Redis is back');
      this.redis.restore();
      this.checker.noteInterruption();
      // A heartbeat from the very end of the freeze counts even if its API has died since: that API could take pings then.
      if (this.timeline.now - this.#noApiSince < HEARTBEAT_STALE_MS) this.checker.setIntakeOpen(true);
      this.updateIntake();
    });
  }

  /** Keeps a snapshot of Redis now, and in `ms` lets Redis fail over to it. */
  failOver(ms: number): void {
    // One failover at a time: a second one could undo what a heartbeat wrote when it noticed the first.
    if (this.timeline.now - this.checker.rewoundAt < BETWEEN_FAILOVERS_MS) return;
    const then = { state: copyShard(this.#state), jobs: this.queue.snapshot() };
    this.timeline.in(ms, () => {
      const soon = this.timeline.now - this.checker.rewoundAt < BETWEEN_FAILOVERS_MS;
      if (!this.redis.serving || soon) return;
      this.trace(`Redis fails over and forgets ${ms} ms`);
      this.redis.kill();
      const forgot = [...this.#state.records].some(([uuid, { rev }]) => then.state.records.get(uuid)?.rev !== rev);
      this.#state = then.state;
      this.queue.restore(then.jobs);
      this.redis.restore();
      this.checker.noteInterruption();
      const at = this.timeline.now;
      this.checker.rewound(at - ms);
      this.timeline.in(NOTICE_MS, () => {
        if (forgot && this.#state.intake.rewoundAt < at) this.checker.noteUnnoticedLoss();
      });
    });
  }

  /** The longest time that a connection may take to open, in ms: that of a call. */
  get slowestConnection(): number {
    return this.#bounds.timeout;
  }

  /** Sets the clock of Redis back by `ms`: the last heartbeat then lies in the future. */
  setClockBack(ms: number): void {
    this.trace(`Redis' clock was ${ms} ms ahead, and is set right`);
    const { lastHeartbeat } = this.#state.intake;
    const planted = this.timeline.now + ms;
    this.#state.intake = { ...this.#state.intake, lastHeartbeat: planted };
    this.checker.noteInterruption();
    // If no process has noticed it by then, none can know of it, as docs/reliability.md says.
    this.timeline.in(ms - 1, () => {
      if (this.#state.intake.lastHeartbeat === planted) this.#state.intake = { ...this.#state.intake, lastHeartbeat };
    });
  }

  loseJob(): void {
    if (!this.queue.lose()) return;
    this.trace('a job is lost');
    this.checker.sweepNeeded = true;
    this.checker.noteFault();
  }

  /** Tells the promise checker whether pings can be taken. */
  updateIntake(): void {
    const open = this.apis.some(({ process }) => process.running);
    this.#noApiSince = open ? Number.NEGATIVE_INFINITY : this.#noApiSince > 0 ? this.#noApiSince : this.timeline.now;
    this.checker.setIntakeOpen(this.redis.serving && open);
  }

  #process(role: string): SimulatedProcess {
    const skew = this.#random.between(-this.#skew, this.#skew);
    return new SimulatedProcess(`${role}-${++this.#processes}`, skew, this.timeline, this.#random);
  }

  #ports(process: SimulatedProcess, role: 'request' | 'worker') {
    const command = this.redis.connect(process, role);
    const clock = () => ({ now: this.timeline.now, ceiling: this.timeline.now });
    const world = this;
    const store = new MemoryStore({
      // A getter, because a failover replaces the state.
      get state() {
        return world.#state;
      },
      clock,
      command,
      slack: SLACK_PERCENT,
      written: (write) => {
        this.checker.written(write);
        this.onWrite(write);
      },
      gap: (intake, length) => this.checker.gap(intake, length),
    });
    return { process, store, alarms: this.queue.clockOf(process, command), command, trace: (text: string) => this.trace(text) };
  }

  #drop(list: { readonly process: SimulatedProcess }[], process: SimulatedProcess): void {
    const at = list.findIndex((one) => one.process === process);
    if (at >= 0) list.splice(at, 1);
  }
}

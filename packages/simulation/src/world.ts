import { BEAT_STALE_MS, PolicyBook, type Random } from '@sandman/core';
import {
  Arming,
  Circuit,
  Permits,
  type Policies,
  PoliciesInUse,
  Probe,
  Reconciler,
  SessionService,
  SWEEP_EVERY_MS,
  Sweep,
  startHeartbeat,
  startPatrol,
  startUpkeep,
  unchanging,
} from '@sandman/lifecycle';
import { type Handler, SimulatedQueue } from './memory-alarms.ts';
import { MemoryPolicies } from './memory-policies.ts';
import { copyShard, emptyShard, MemoryStore, type ShardState, type Written } from './memory-store.ts';
import { type Bounds, type Call, SimulatedPods } from './pods.ts';
import { SimulatedProcess } from './process.ts';
import { type Command, SimulatedRedis } from './redis.ts';
import { Timeline } from './timeline.ts';
import { type Door, User } from './users.ts';
import { Verdict } from './verdict.ts';

const START = 1_800_000_000_000;
const CONCURRENCY = 3;
const SLACK_PERCENT = 1;
/** Longer than in production (100 ms), because heartbeats are most of the events. */
const BEAT_EVERY_MS = 400;
const BETWEEN_FAILOVERS_MS = 10_000;
const SAMPLE_EVERY_MS = 400;
const PATROL_EVERY_MS = 500;
/** Within this time after a failover, in ms, a heartbeat notices the lost writes, or none ever does. */
const NOTICE_MS = 1_500;

export interface WorldOptions {
  readonly random: Random;
  /** By how much the processes' clocks may differ from that of Redis, in ms. */
  readonly skew: number;
  readonly bounds: Bounds;
  /** How long before an idle sleep a warning is due, in ms; 0, the default: there are no warnings. */
  readonly warning?: number;
  /** Whether rollouts change the policy of all sessions again and again. */
  readonly rollouts?: boolean;
  /** Whether workers patrol; they do by default. */
  readonly patrols?: boolean;
  /** Receives a line of text for each event. */
  readonly trace?: (text: string) => void;
}

/**
 * The name of the policy that rollouts change. It is a preset's, so that code that falls back to the preset where `POLICIES`
 * lacks the name would change the sessions, which the verdict notices.
 */
const ROLLED_OUT = 'balanced';
/** The values that rollouts give the policy, in turn. Its `backgroundCap` tells the versions apart. */
const ROLLOUTS = [
  { sleepAfter: '6s', deleteAfter: '4s' },
  { sleepAfter: '3s', deleteAfter: '12s' },
  { sleepAfter: 'never', deleteAfter: '7s' },
  { sleepAfter: '4s', deleteAfter: 'never' },
];
const ROLLOUT_EVERY_MS = 9_000;
/** Within this time, in ms, a rollout replaces the processes. One that crashes half way is rolled back after twice this time. */
const CRASHES_AFTER_MS = 3_000;
/** The `backgroundCap` of version 0, in ms; each version adds 1 ms. No simulated user asks for such a cap. */
const VERSIONED_CAP_MS = 20_000;

/** A deployment in virtual time: the production lifecycle on simulated Redis, BullMQ, session-manager and processes. */
export class World {
  readonly timeline = new Timeline(START);
  readonly verdict: Verdict;
  readonly redis: SimulatedRedis;
  readonly queue: SimulatedQueue;
  readonly pods: SimulatedPods;
  readonly apis: Door[] = [];
  readonly workers: Handler[] = [];
  /** Called at each call to the session-manager, so that a fault can strike during one. */
  onCall: (call: Call) => void = () => {};
  /** Called for each warning, when it has reached Redis. */
  onWarning: (uuid: string, sleepAt: number) => void = () => {};
  /** Called at each write of a record, before the writer gets its reply. */
  onWrite: (write: Written) => void = () => {};
  /** Called before each request of a user is sent. */
  onRequest: () => void = () => {};
  /** The version of `POLICIES` that a process starts with; 0: there was no rollout yet. */
  #version = 0;
  readonly #random: Random;
  readonly #skew: number;
  readonly #rolls: boolean;
  readonly #patrols: boolean;
  readonly #bounds: Bounds;
  readonly #trace: ((text: string) => void) | undefined;
  #state: ShardState = emptyShard();
  #processes = 0;
  #patrolAt = 0;
  /** Since when no API runs, in ms; -Infinity: one does. */
  #doorsShutAt = Number.NEGATIVE_INFINITY;

  constructor({ random, skew, bounds, warning = 0, rollouts = false, patrols = true, trace }: WorldOptions) {
    this.#patrols = patrols;
    this.#state.ingest = { ...this.#state.ingest, warning };
    this.#bounds = bounds;
    this.#random = random;
    this.#skew = skew;
    this.#rolls = rollouts;
    this.#trace = trace;
    this.verdict = new Verdict(this.timeline, bounds, () => this.pods);
    this.redis = new SimulatedRedis(this.timeline, random, () => this.verdict.fault());
    this.queue = new SimulatedQueue(this.timeline, random, this.redis);
    this.pods = new SimulatedPods(this.timeline, random, bounds, {
      called: (call) => {
        this.trace(`${call.process.name} calls ${call.action} ${call.uuid}`);
        this.verdict.called(call, this.#state);
        this.onCall(call);
      },
      landed: (call) => this.verdict.landed(call, this.#state),
      struck: (fault) => {
        this.trace(`the session-manager: ${fault}`);
        this.verdict.fault();
      },
    });
    const sample = () => {
      this.verdict.sample(this.#state);
      this.timeline.in(SAMPLE_EVERY_MS, sample);
    };
    sample();
    if (rollouts) this.#rollOut(1);
  }

  /** Restarts all processes with this version; a rollout that crashes restarts some of them, and is then rolled back. */
  #rollOut(version: number): void {
    this.trace(`rollout of version ${version}`);
    const before = this.#version;
    this.#version = version;
    const crashes = this.#random.chance(0.3);
    for (const list of [this.apis, this.workers]) {
      const role = list === this.apis ? 'api' : 'worker';
      for (const { process } of [...list]) {
        if (crashes && this.#random.chance(0.5)) continue;
        this.timeline.in(this.#random.between(0, CRASHES_AFTER_MS), () => this.#replace(process, role));
      }
    }
    if (crashes) {
      this.timeline.in(2 * CRASHES_AFTER_MS, () => {
        this.trace(`version ${version} is rolled back`);
        this.#version = before;
        for (const { process } of [...this.apis]) this.#replace(process, 'api');
        for (const { process } of [...this.workers]) this.#replace(process, 'worker');
      });
    }
    this.timeline.in(ROLLOUT_EVERY_MS, () => this.#rollOut(version + 1));
  }

  #replace(process: SimulatedProcess, role: 'api' | 'worker'): void {
    if (!process.alive) return;
    this.kill(process);
    if (role === 'api') this.startApi();
    else this.startWorker();
    this.verdict.hampered();
  }

  /** Makes the policies in force of a process. With `toldNone` it has no `POLICIES` of its own, and follows the others. */
  #policiesIn(process: SimulatedProcess, command: Command, toldNone: boolean): Policies {
    if (!this.#rolls) return unchanging(new PolicyBook().default);
    const version = this.#version;
    const policy = { ...ROLLOUTS[version % ROLLOUTS.length], backgroundCap: `${VERSIONED_CAP_MS + version}ms` };
    // Every third version does not define the sessions' policy: they keep the values that they have.
    const name = version % 3 === 0 ? 'another' : ROLLED_OUT;
    const world = this;
    const place = {
      get policies() {
        return world.#state.policies;
      },
      set policies(policies) {
        world.#state.policies = policies;
      },
    };
    return new PoliciesInUse({
      own: new PolicyBook(version === 0 || toldNone ? {} : { [name]: policy }),
      says: true,
      version: toldNone ? 0 : version,
      shadows: [],
      agreement: new MemoryPolicies(place, command),
      surroundings: process.surroundings,
      changed: (to) => this.trace(`${process.name} uses version ${to}`),
      overruled: (by) => this.trace(`${process.name} was told version ${version}, and ${by} is in force`),
      failed: () => {},
    });
  }

  get state(): ShardState {
    return this.#state;
  }

  trace(text: string): void {
    this.#trace?.(`${String(this.timeline.now - START).padStart(7)} ${text}`);
  }

  user(uuid: string): User {
    return new User(uuid, {
      timeline: this.timeline,
      random: this.#random,
      policyName: this.#rolls ? ROLLED_OUT : 'custom',
      verdict: this.verdict,
      pods: this.pods,
      state: () => this.#state,
      door: () => {
        this.onRequest();
        const open = this.apis.filter(({ process }) => process.running);
        return open.length > 0 ? this.#random.pick(open) : null;
      },
      trace: (text) => this.trace(text),
    });
  }

  startApi(): void {
    const process = this.#process('api');
    const { store, alarms, command } = this.#ports(process, 'request');
    const policies = this.#policiesIn(process, command, false);
    const service = new SessionService({ store, alarms, policies, unarmed: () => {} });
    this.#heartbeat(process, store, true);
    this.apis.push({ process, service });
    this.look();
  }

  startWorker(): void {
    const process = this.#process('worker');
    const { store, alarms, command } = this.#ports(process, 'worker');
    const { surroundings } = process;
    const arming = new Arming(store, alarms);
    const failed = (error: unknown) => this.trace(`${process.name}: ${error}`);
    const found = (what: string, uuid: string, recorded: string) => {
      if (what !== 'as-recorded') this.trace(`${process.name} finds the pod of ${uuid}, recorded ${recorded}: ${what}`);
    };
    const policies = this.#policiesIn(process, command, this.#random.chance(0.3));
    const pods = this.pods.controlFrom(process);
    const probe = new Probe({ store, pods, pace: null, surroundings });
    const circuit = new Circuit({
      surroundings,
      probe: (failing) => probe.answers(failing),
      changed: (trouble) => this.trace(`${process.name}: circuit ${trouble ?? 'closed'}`),
    });
    const reconciler = new Reconciler({
      store,
      policies,
      rehearsal: null,
      arming,
      pods,
      permits: new Permits(CONCURRENCY, null, surroundings),
      circuit,
      othersAreFound: (uuid) => probe.findsOthers(uuid),
      bounds: { doubt: this.#bounds.timeout + this.#bounds.late },
      surroundings,
      observer: {
        decided: (action, uuid, cause) => this.trace(`${process.name}: ${action} of ${uuid} decided, ${cause}`),
        acted: (action, outcome, _, uuid) => this.trace(`${process.name}: ${action} ${uuid} ended ${outcome.kind}`),
        late: () => {},
        early: () => {},
        failed,
      },
      warn: ({ uuid }, sleepAt) =>
        command(() => {
          this.trace(`${process.name} warns of the sleep of ${uuid} at ${sleepAt - START}`);
          this.onWarning(uuid, sleepAt);
        }),
    });
    startUpkeep({ store, arming, surroundings, repaired: (marks) => this.trace(`${process.name} finishes ${marks} marks`), failed });
    const sweep = new Sweep({
      store,
      policies,
      rehearses: false,
      clock: alarms,
      arming,
      surroundings,
      repaired: (fault, uuid) => {
        this.trace(`${process.name} repairs ${uuid}: ${fault}`);
        this.verdict.repaired(fault, uuid);
      },
    });
    if (this.#patrols)
      startPatrol({
        store,
        pods,
        pace: { take: () => command(() => this.#patrolPace()) },
        spare: null,
        circuit,
        arming,
        surroundings,
        found,
        failed,
      });
    this.#heartbeat(process, store, false);
    // In production the workers share the turns of the sweep; here each worker has its own.
    surroundings.every(SWEEP_EVERY_MS, () => void sweep.visit(0).catch(failed));
    const handler: Handler = {
      process,
      command,
      handle: (alarm) => {
        this.trace(`${process.name}: ${alarm.name} of ${alarm.uuid} rings, number ${alarm.n - START}`);
        return reconciler.handle(alarm);
      },
    };
    this.workers.push(handler);
    this.queue.join(handler);
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
    this.verdict.hampered();
    this.look();
  }

  pause(process: SimulatedProcess, ms: number): void {
    this.trace(`${process.name} is paused for ${ms} ms`);
    process.pause();
    this.verdict.hampered();
    this.look();
    this.timeline.in(ms, () => {
      if (!process.alive) return;
      this.trace(`${process.name} goes on`);
      process.resume();
      this.verdict.hampered();
      this.look();
    });
  }

  /** Kills or freezes Redis for `ms`. */
  outage(kind: 'kill' | 'freeze', ms: number): void {
    if (!this.redis.serving) return;
    this.trace(`Redis: ${kind} for ${ms} ms`);
    this.redis[kind]();
    this.verdict.hampered();
    this.look();
    this.timeline.in(ms, () => {
      this.trace('Redis is back');
      this.redis.restore();
      this.verdict.hampered();
      // A heartbeat from the very end of the freeze counts even if its API has died since: that API could take pings then.
      if (this.timeline.now - this.#doorsShutAt < BEAT_STALE_MS) this.verdict.ingest(true);
      this.look();
    });
  }

  /** Keeps a snapshot of Redis now, and in `ms` lets Redis fail over to it. */
  forget(ms: number): void {
    // One failover at a time: a second one could undo what a heartbeat wrote when it noticed the first.
    if (this.timeline.now - this.verdict.rewoundAt < BETWEEN_FAILOVERS_MS) return;
    const then = { state: copyShard(this.#state), jobs: this.queue.snapshot() };
    this.timeline.in(ms, () => {
      const soon = this.timeline.now - this.verdict.rewoundAt < BETWEEN_FAILOVERS_MS;
      if (!this.redis.serving || soon) return;
      this.trace(`Redis fails over and forgets ${ms} ms`);
      this.redis.kill();
      const forgot = [...this.#state.records].some(([uuid, { rev }]) => then.state.records.get(uuid)?.rev !== rev);
      this.#state = then.state;
      this.queue.restore(then.jobs);
      this.redis.restore();
      this.verdict.hampered();
      const at = this.timeline.now;
      this.verdict.rewound(at - ms);
      this.timeline.in(NOTICE_MS, () => {
        if (forgot && this.#state.ingest.rewound < at) this.verdict.unnoticed();
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
    const { beat } = this.#state.ingest;
    const planted = this.timeline.now + ms;
    this.#state.ingest = { ...this.#state.ingest, beat: planted };
    this.verdict.hampered();
    // If no process has noticed it by then, none can know of it, as docs/reliability.md says.
    this.timeline.in(ms - 1, () => {
      if (this.#state.ingest.beat === planted) this.#state.ingest = { ...this.#state.ingest, beat };
    });
  }

  loseJob(): void {
    if (!this.queue.lose()) return;
    this.trace('a job is lost');
    this.verdict.sweepNeeded = true;
    this.verdict.fault();
  }

  /** Tells the verdict whether pings can be taken. */
  look(): void {
    const open = this.apis.some(({ process }) => process.running);
    this.#doorsShutAt = open ? Number.NEGATIVE_INFINITY : this.#doorsShutAt > 0 ? this.#doorsShutAt : this.timeline.now;
    this.verdict.ingest(this.redis.serving && open);
  }

  #heartbeat(process: SimulatedProcess, store: MemoryStore, open: boolean): void {
    startHeartbeat({
      store,
      surroundings: process.surroundings,
      every: BEAT_EVERY_MS,
      open: () => open,
      gap: (_, ms) => this.trace(`${process.name} finds a gap of ${ms} ms`),
      rewound: () => this.trace(`${process.name} finds that Redis has forgotten`),
      failed: () => {},
    });
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
        this.verdict.written(write);
        this.onWrite(write);
      },
      gap: (ingest, length) => this.verdict.gap(ingest, length),
    });
    return { store, alarms: this.queue.clockOf(process, command), command };
  }

  #drop(list: { readonly process: SimulatedProcess }[], process: SimulatedProcess): void {
    const at = list.findIndex((one) => one.process === process);
    if (at >= 0) list.splice(at, 1);
  }
}

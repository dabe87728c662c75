import type { AlarmClock, EffectBounds, PodControl, RateLimiter, SessionStore } from '@sandman/core';
import {
  Arming,
  CallLimiter,
  CircuitBreaker,
  type PolicySource,
  Probe,
  Reconciler,
  SessionService,
  SWEEP_EVERY_MS,
  Sweep,
  startHeartbeat,
  startPatrol,
  startUpkeep,
} from '@sandman/lifecycle';
import type { Handler } from './memory-alarms.ts';
import type { SimulatedProcess } from './process.ts';
import type { Command } from './redis.ts';
import type { SimulatedApi } from './users.ts';

const CONCURRENCY = 3;
/** Longer than in production (100 ms), because heartbeats are most of the events. */
const HEARTBEAT_EVERY_MS = 400;

/** What a simulated API or worker is made of. */
export interface ProcessParts {
  readonly process: SimulatedProcess;
  readonly store: SessionStore;
  readonly alarms: AlarmClock;
  readonly command: Command;
  readonly policies: PolicySource;
  readonly trace: (text: string) => void;
}

export interface WorkerParts extends ProcessParts {
  readonly pods: PodControl;
  readonly bounds: EffectBounds;
  /** Limits the patrols of all workers together; null: workers do not patrol. */
  readonly patrols: RateLimiter | null;
  /** Called for each warning, when it has reached Redis. */
  readonly warned: (uuid: string, of: 'sleep' | 'delete', at: number) => void;
  /** Called for each repair of the sweep. */
  readonly repaired: (fault: string, uuid: string) => void;
  /** What times in the trace count from, in ms of the epoch. */
  readonly epoch: number;
}

function sendHeartbeats({ process, store, trace }: ProcessParts, open: boolean): void {
  startHeartbeat({
    store,
    system: process.system,
    every: HEARTBEAT_EVERY_MS,
    open: () => open,
    gap: (_, ms) => trace(`${process.name} finds a gap of ${ms} ms`),
    rewound: () => trace(`${process.name} finds that Redis has forgotten`),
    failed: () => {},
  });
}

/** Starts what an API runs in production. */
export function startSimulatedApi(parts: ProcessParts): SimulatedApi {
  const { process, store, alarms, policies } = parts;
  sendHeartbeats(parts, true);
  return { process, service: new SessionService({ store, alarms, policies, system: process.system, unarmed: () => {} }) };
}

/** Starts what a worker runs in production. */
export function startSimulatedWorker(parts: WorkerParts): Handler {
  const { process, store, alarms, command, policies, pods, patrols, epoch, trace } = parts;
  const { system } = process;
  const arming = new Arming(store, alarms);
  const failed = (error: unknown) => trace(`${process.name}: ${error}`);
  const probe = new Probe({ store, pods, rateLimiter: null, system });
  const circuit = new CircuitBreaker({
    system,
    probe: (failing) => probe.answers(failing),
    changed: (trouble) => trace(`${process.name}: circuit ${trouble ?? 'closed'}`),
  });
  const reconciler = new Reconciler({
    store,
    policies,
    dryRun: null,
    arming,
    pods,
    limiter: new CallLimiter(CONCURRENCY, null, system),
    circuit,
    othersAreFound: (uuid) => probe.findsOthers(uuid),
    bounds: parts.bounds,
    system,
    observer: {
      decided: (action, uuid, cause) => trace(`${process.name}: ${action} of ${uuid} decided, ${cause}`),
      acted: (action, outcome, _, uuid) => trace(`${process.name}: ${action} ${uuid} ended ${outcome.kind}`),
      late: () => {},
      early: () => {},
      failed,
    },
    warn: ({ uuid }, of, at) =>
      command(() => {
        trace(`${process.name} warns of the ${of} of ${uuid} at ${at - epoch}`);
        parts.warned(uuid, of, at);
      }),
  });
  startUpkeep({ store, arming, system, repaired: (marks) => trace(`${process.name} finishes ${marks} marks`), failed });
  const sweep = new Sweep({
    store,
    policies,
    dryRun: null,
    clock: alarms,
    arming,
    system,
    repaired: (fault, uuid) => {
      trace(`${process.name} repairs ${uuid}: ${fault}`);
      parts.repaired(fault, uuid);
    },
  });
  if (patrols) {
    const found = (what: string, uuid: string, recorded: string) => {
      if (what !== 'as-recorded') trace(`${process.name} finds the pod of ${uuid}, recorded ${recorded}: ${what}`);
    };
    startPatrol({ store, pods, rateLimiter: patrols, spare: null, circuit, arming, system, found, failed });
  }
  sendHeartbeats(parts, false);
  // In production the workers share the turns of the sweep; here each worker has its own.
  system.every(SWEEP_EVERY_MS, () => void sweep.visit(0).catch(failed));
  return {
    process,
    command,
    handle: (alarm) => {
      trace(`${process.name}: ${alarm.name} of ${alarm.uuid} rings, number ${alarm.n - epoch}`);
      return reconciler.handle(alarm);
    },
  };
}

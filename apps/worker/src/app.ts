import type { Pace, PodControl } from '@sandman/core';
import {
  Arming,
  Circuit,
  type Observer,
  Permits,
  type Policies,
  Probe,
  Reconciler,
  Rehearsal,
  type RehearsalOptions,
  repeat,
  SWEEP_EVERY_MS,
  Sweep,
  startHeartbeat,
  startPatrol,
  startUpkeep,
} from '@sandman/lifecycle';
import { AlarmQueues, AlarmWorkers, SweepSchedule } from '@sandman/queue';
import { type Admission, annotate, type Logger, type Metrics, surroundings, type Tracing } from '@sandman/runtime';
import { type RedisJournal, RedisRehearsals, RedisRoster, type RedisSessionStore, RedisTrend } from '@sandman/store';
import type { Cluster, Redis } from 'ioredis';
import type { Bookkeeping } from './ledger/bookkeeping.ts';
import { Reports } from './reports.ts';
import type { Webhooks } from './webhooks/webhooks.ts';

/** How often a worker checks whether Redis has lost this worker's last write, in ms. */
const WITNESS_MS = 500;
/** How often a worker writes the warning time to Redis, in ms: another worker may have overwritten it, or Redis may have lost it. */
const SAY_EVERY_MS = 30_000;

/** How often a worker announces that it is live or a dry run, in ms, and how long that announcement counts. */
const CLAIM_EVERY_MS = 2_000;
const CLAIM_LASTS_MS = 10_000;
/** The pause before the first announcement is retried, and before a paused worker looks at an alarm again, in ms. */
const AGAIN_MS = 500;

export interface WorkerDeps {
  readonly redis: Redis | Cluster;
  readonly prefix: string;
  readonly shards: number;
  readonly store: RedisSessionStore;
  readonly policies: Policies;
  /** `DRY_RUN` */
  readonly dryRun: boolean;
  /** Tells whether this worker may use the data in Redis: its `SHARDS` fits that data. */
  readonly admission: Pick<Admission, 'given' | 'isGiven'>;
  readonly journal: RedisJournal;
  readonly pods: PodControl;
  /** Lifecycle calls in flight at the same time. */
  readonly concurrency: number;
  /** Bounds the calls per second of all workers together; null: they are not bounded. */
  readonly pace: Pace | null;
  /** The rate limiters of the patrol's status reads; null: there is no patrol. */
  readonly patrol: { readonly pace: Pace; readonly spare: (() => Promise<number>) | null } | null;
  /** How long the effect of a call may stay unknown, in ms. */
  readonly doubt: number;
  /** Sends webhooks; null: none are sent. It is closed with the worker. */
  readonly webhooks: Webhooks | null;
  /** How long before an idle sleep a warning is sent, in ms; 0: none is sent. */
  readonly warning: number;
  /** Writes the ledger; null: there is none. It is closed with the worker. */
  readonly bookkeeping: Bookkeeping | null;
  /** By how much this machine's clock is ahead of Redis', in ms. */
  readonly clockAhead: () => number;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly telemetry: Tracing['jobs'];
}

export interface WorkerApp {
  readonly alarms: AlarmQueues;
  isRunning(): boolean;
  /** Stops taking alarms and waits for the calls in flight. */
  close(): Promise<void>;
}

function observe(metrics: Metrics, logger: Logger): Observer {
  return {
    decided(action, session, cause) {
      logger.info({ session, action, cause }, 'idle deadline passed');
    },
    acted(action, outcome, seconds, session, cause) {
      annotate({ session, action, cause });
      metrics.actions.inc({ action, outcome: outcome.kind });
      metrics.actionDuration.observe({ action }, seconds);
      if ('error' in outcome) logger.warn({ session, action, cause, outcome: outcome.kind, reason: outcome.error }, 'call failed');
      else logger.info({ session, action, cause, outcome: outcome.kind }, 'call ended');
    },
    late: (alarm, ms) => metrics.alarmLateness.observe({ alarm }, Math.max(0, ms) / 1_000),
    early: (alarm) => metrics.alarmsEarly.inc({ alarm }),
    failed: (err, session) => logger.error({ err, session }, 'an alarm could not be handled and will ring again'),
  };
}

/** Repeats `run`, with a pause, until it succeeds. */
async function insist(run: () => Promise<void>, failed: (error: unknown) => void): Promise<void> {
  for (;;) {
    try {
      return await run();
    } catch (error) {
      failed(error);
      await surroundings.pause(AGAIN_MS);
    }
  }
}

function sayIt(metrics: Metrics, logger: Logger): RehearsalOptions['wouldCall'] {
  return (action, session, cause) => {
    metrics.dryRunCalls.inc({ action });
    logger.info({ session, action, cause }, 'dry run: would call');
  };
}

/** Starts a worker: it handles alarms from BullMQ, calls the session-manager, repairs, and reports to operators. */
export function startWorker(deps: WorkerDeps): WorkerApp {
  const {
    redis,
    prefix,
    shards,
    store,
    policies,
    dryRun,
    admission,
    webhooks,
    warning,
    bookkeeping,
    journal,
    pods,
    concurrency,
    pace,
    patrol,
    doubt,
    clockAhead,
    metrics,
    logger,
    telemetry,
  } = deps;
  // BullMQ retries by itself, and a job that runs twice does no harm.
  const onError = (err: unknown) => logger.warn({ err }, 'queue');
  const alarms = new AlarmQueues(redis, prefix, shards, onError, telemetry);
  const arming = new Arming(store, alarms);
  const reports = new Reports({
    roster: new RedisRoster(redis, prefix),
    trend: new RedisTrend(redis, prefix),
    journal,
    surroundings,
    clockAhead,
    failed: (err) => logger.warn({ err }, 'the worker status could not be written to Redis'),
  });
  const probe = new Probe({ store, pods, pace, surroundings });
  const circuit = new Circuit({
    surroundings,
    probe: (failing) => probe.answers(failing),
    changed(trouble) {
      metrics.circuitOpen.set(trouble ? 1 : 0);
      reports.trouble(trouble);
      if (trouble === 'not-found') logger.error({ trouble }, 'the session-manager answers 404 for every session: none is ended by that');
      else if (trouble) logger.error({ trouble }, 'the session-manager fails: calls wait until it answers');
      else logger.info('the session-manager serves again');
    },
  });
  /** Whether this worker is a dry run while live workers run. It then does nothing, because it would delay the alarms they must handle. */
  let yields = false;
  const claim = async () => {
    if (!admission.isGiven) return;
    const conflict = await store.rehearse(dryRun, CLAIM_LASTS_MS);
    if (conflict === yields) return;
    yields = conflict;
    await Promise.all([workers.setPaused(yields), schedule.setPaused(yields)]);
    metrics.dryRunConflict.set(yields ? 1 : 0);
    reports.trouble(yields ? 'dry-run' : null);
    if (yields) logger.error('DRY_RUN is set here and not in other workers that run: this worker does nothing while they do');
    else logger.info('no other worker runs that is not a dry run: this worker goes on with its own');
  };
  // Runs before any alarm is handled. The end of a dry run counts as activity, so deadlines that passed during it are not acted on.
  const begun = admission.given.then(() => insist(claim, onError));
  const stopClaiming = repeat(surroundings, CLAIM_EVERY_MS, claim, onError);
  const say = async () => {
    if (admission.isGiven && !yields) await store.setWarning(dryRun ? 0 : warning);
  };
  begun.then(say).catch(onError);
  const stopSaying = repeat(surroundings, SAY_EVERY_MS, say, onError);
  const rehearsals = new RedisRehearsals(redis, { prefix, shards });
  if (dryRun) logger.warn('a dry run: no pod is put to sleep, woken or deleted');
  const reconciler = new Reconciler({
    store,
    policies,
    rehearsal: dryRun
      ? new Rehearsal({ isNew: (uuid, what, due) => rehearsals.isNew(uuid, what, due), wouldCall: sayIt(metrics, logger) })
      : null,
    arming,
    pods,
    bounds: { doubt },
    permits: new Permits(concurrency, pace, surroundings),
    circuit,
    othersAreFound: (uuid) => probe.findsOthers(uuid),
    observer: observe(metrics, logger),
    warn: async (record, sleepAt) => webhooks?.warn(record, sleepAt),
    surroundings,
  });
  const workers = new AlarmWorkers({
    connection: redis,
    prefix,
    shards,
    concurrency,
    async handle(alarm) {
      await begun;
      if (yields) return { kind: 'again', ms: AGAIN_MS };
      return reconciler.handle(alarm);
    },
    onError,
    telemetry,
  });
  const stopUpkeep = startUpkeep({
    store,
    arming,
    surroundings,
    repaired(marks) {
      metrics.sweepRepairs.inc({ kind: 'unarmed' }, marks);
      reports.repaired('unarmed', '', marks);
      logger.warn({ marks }, 'set alarms that a crash had left unset');
    },
    failed: (err) => logger.error({ err }, 'upkeep failed'),
  });
  const sweep = new Sweep({
    store,
    policies,
    rehearses: dryRun,
    clock: alarms,
    arming,
    surroundings,
    repaired(kind, session) {
      metrics.sweepRepairs.inc({ kind });
      reports.repaired(kind, session);
      logger.error({ kind, session }, 'a session had no alarm that would ring in time');
    },
    visited: (readings) => bookkeeping?.visited(readings),
  });
  const schedule = new SweepSchedule({
    connection: redis,
    prefix,
    shards,
    every: SWEEP_EVERY_MS,
    async visit(shard) {
      await begun;
      await sweep.visit(shard);
      reports.swept();
    },
    onError,
  });
  const stopPatrol =
    patrol && !dryRun
      ? startPatrol({
          store,
          pods,
          ...patrol,
          circuit,
          arming,
          surroundings,
          found(found, session, recorded) {
            metrics.patrol.inc({ found });
            if (found !== 'as-recorded' && found !== 'unread')
              logger.warn({ session, recorded, found }, 'the pod is not as recorded: its status is read again, and acted on');
          },
          failed: (err) => logger.warn({ err }, 'patrol failed'),
        })
      : async () => {};
  const stopHeartbeat = startHeartbeat({
    store,
    surroundings,
    every: WITNESS_MS,
    open: () => false,
    gap: () => {},
    rewound: (shard) => logger.error({ shard }, 'Redis came back with older data: its sessions are in doubt'),
    failed: (err) => logger.debug({ err }, 'heartbeat failed'),
  });
  return {
    alarms,
    isRunning: () => yields || workers.isRunning(),
    async close() {
      sweep.stop();
      await Promise.all([workers.close(), schedule.close(), stopPatrol(), stopUpkeep(), stopHeartbeat(), stopClaiming(), stopSaying()]);
      await Promise.all([webhooks?.close(), bookkeeping?.close()]);
      await reports.close();
      await alarms.close();
    },
  };
}

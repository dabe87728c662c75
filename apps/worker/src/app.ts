import type { Assembly } from '@sandman/assembly';
import {
  Arming,
  CallLimiter,
  CircuitBreaker,
  DryRun,
  type DryRunOptions,
  type Observer,
  Probe,
  Reconciler,
  repeat,
  SWEEP_EVERY_MS,
  Sweep,
  startHeartbeat,
  startPatrol,
  startUpkeep,
} from '@sandman/lifecycle';
import { AlarmWorkers, SweepSchedule } from '@sandman/queue';
import { annotate, type Logger, type Metrics, type readEnvOf, system } from '@sandman/runtime';
import { RedisDryRun, RedisPodSamples, RedisRateLimiter, RedisWorkerRegistry } from '@sandman/store';
import type { LedgerWriter } from './ledger/ledger-writer.ts';
import type { Webhooks } from './webhooks/webhooks.ts';
import { WorkerStatus } from './worker-status.ts';

/** How often a worker checks whether Redis has lost this worker's last write, in ms. */
const WITNESS_CHECK_MS = 500;
/** How often a worker writes the warning time to Redis, in ms: another worker may have overwritten it, or Redis may have lost it. */
const WARNING_EVERY_MS = 30_000;

/** How often a worker announces that it is live or a dry run, in ms, and how long that announcement counts. */
const ANNOUNCE_EVERY_MS = 2_000;
const ANNOUNCEMENT_LASTS_MS = 10_000;
/** The pause before the first announcement is retried, and before a paused worker looks at an alarm again, in ms. */
const RETRY_PAUSE_MS = 500;

export type WorkerEnv = ReturnType<typeof readEnvOf<'worker'>>;

/** What a worker writes besides records; each is null where it is not configured, and is closed with the worker. */
export interface Outputs {
  readonly webhooks: Webhooks | null;
  readonly ledgerWriter: LedgerWriter | null;
}

export interface WorkerApp {
  isRunning(): boolean;
  /** Takes no more alarms, and waits for the calls in flight. */
  close(): Promise<void>;
}

function createObserver(metrics: Metrics, logger: Logger): Observer {
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
async function retryUntilDone(run: () => Promise<void>, failed: (error: unknown) => void): Promise<void> {
  for (;;) {
    try {
      return await run();
    } catch (error) {
      failed(error);
      await system.pause(RETRY_PAUSE_MS);
    }
  }
}

function logDryRunCall(metrics: Metrics, logger: Logger): DryRunOptions['wouldCall'] {
  return (action, session, cause) => {
    metrics.dryRunCalls.inc({ action });
    logger.info({ session, action, cause }, 'dry run: would call');
  };
}

/** Starts a worker: it handles alarms from BullMQ, calls the session-manager, repairs, and reports to operators. */
export function startWorker(assembly: Assembly, env: WorkerEnv, { webhooks, ledgerWriter }: Outputs): WorkerApp {
  const {
    redis,
    keyspace,
    store,
    shardState,
    alarms,
    journal,
    policies,
    admission,
    clock,
    sessionManager: pods,
    metrics,
    logger,
    tracing,
  } = assembly;
  const { prefix, shards } = keyspace;
  const dryRun = env.DRY_RUN;
  // BullMQ retries by itself, and a job that runs twice does no harm.
  const onError = (err: unknown) => logger.warn({ err }, 'queue');
  const callRate = env.SESSION_MANAGER_MAX_RPS;
  const rateLimiter = callRate === null ? null : new RedisRateLimiter(redis, prefix, callRate);
  const arming = new Arming(store, alarms);
  const status = new WorkerStatus({
    registry: new RedisWorkerRegistry(redis, prefix),
    podSamples: new RedisPodSamples(redis, prefix),
    journal,
    system,
    clockAhead: () => clock.ahead,
    failed: (err) => logger.warn({ err }, 'the worker status could not be written to Redis'),
  });
  const probe = new Probe({ store, pods, rateLimiter, system });
  const circuit = new CircuitBreaker({
    system,
    probe: (failing) => probe.answers(failing),
    changed(trouble) {
      metrics.circuitOpen.set(trouble ? 1 : 0);
      status.setTrouble(trouble);
      if (trouble === 'not-found') logger.error({ trouble }, 'the session-manager answers 404 for every session: none is ended by that');
      else if (trouble) logger.error({ trouble }, 'the session-manager fails: calls wait until it answers');
      else logger.info('the session-manager serves again');
    },
  });
  /** Whether this worker is a dry run while live workers run. It then does nothing, because it would delay the alarms they must handle. */
  let isYielding = false;
  const announceMode = async () => {
    if (!admission.isGiven) return;
    const conflict = await shardState.announceDryRun(dryRun, ANNOUNCEMENT_LASTS_MS);
    if (conflict === isYielding) return;
    isYielding = conflict;
    await Promise.all([workers.setPaused(isYielding), schedule.setPaused(isYielding)]);
    metrics.dryRunConflict.set(isYielding ? 1 : 0);
    status.setTrouble(isYielding ? 'dry-run' : null);
    if (isYielding) logger.error('DRY_RUN is set here and not in other workers that run: this worker does nothing while they do');
    else logger.info('no other worker runs that is not a dry run: this worker goes on with its own');
  };
  // Runs before any alarm is handled. The end of a dry run counts as activity, so deadlines that passed during it are not acted on.
  const modeAnnounced = admission.given.then(() => retryUntilDone(announceMode, onError));
  const stopAnnouncing = repeat(system, ANNOUNCE_EVERY_MS, announceMode, onError);
  const warns = webhooks !== null && !dryRun;
  const publishWarnings = async () => {
    if (!admission.isGiven || isYielding) return;
    await shardState.setWarnings({
      warning: warns ? env.SLEEP_WARNING : 0,
      deleteWarning: warns ? env.DELETE_WARNING : 0,
      deleteNotice: env.DELETE_WARNING,
    });
  };
  modeAnnounced.then(publishWarnings).catch(onError);
  const stopWarnings = repeat(system, WARNING_EVERY_MS, publishWarnings, onError);
  const dryRunCalls = new RedisDryRun(redis, keyspace);
  const dryRunReport = dryRun
    ? new DryRun({ isNew: (uuid, what, due) => dryRunCalls.isNew(uuid, what, due), wouldCall: logDryRunCall(metrics, logger) })
    : null;
  if (dryRun) logger.warn('a dry run: no pod is put to sleep, woken or deleted');
  const reconciler = new Reconciler({
    store,
    policies,
    dryRun: dryRunReport,
    arming,
    pods,
    bounds: { doubt: env.SESSION_MANAGER_TIMEOUT + env.LATE_EFFECT_BOUND },
    limiter: new CallLimiter(env.WORKER_CONCURRENCY, rateLimiter, system),
    circuit,
    othersAreFound: (uuid) => probe.findsOthers(uuid),
    observer: createObserver(metrics, logger),
    warn: async (record, of, at) => webhooks?.warn(record, of, at),
    system,
  });
  const workers = new AlarmWorkers({
    connection: redis,
    prefix,
    shards,
    concurrency: env.WORKER_CONCURRENCY,
    async handle(alarm) {
      await modeAnnounced;
      if (isYielding) return { kind: 'again', ms: RETRY_PAUSE_MS };
      return reconciler.handle(alarm);
    },
    onError,
    telemetry: tracing.jobs,
  });
  const stopUpkeep = startUpkeep({
    store,
    arming,
    system,
    repaired(marks) {
      metrics.sweepRepairs.inc({ kind: 'unarmed' }, marks);
      status.noteRepair('unarmed', '', marks);
      logger.warn({ marks }, 'set alarms that a crash had left unset');
    },
    failed: (err) => logger.error({ err }, 'upkeep failed'),
  });
  const sweep = new Sweep({
    store,
    policies,
    dryRun: dryRunReport,
    clock: alarms,
    arming,
    system,
    repaired(kind, session) {
      metrics.sweepRepairs.inc({ kind });
      status.noteRepair(kind, session);
      logger.error({ kind, session }, 'a session had no alarm that would ring in time');
    },
    visited: (readings) => ledgerWriter?.visited(readings),
  });
  const schedule = new SweepSchedule({
    connection: redis,
    prefix,
    shards,
    every: SWEEP_EVERY_MS,
    async visit(shard) {
      await modeAnnounced;
      await sweep.visit(shard);
      status.noteSweep();
    },
    onError,
  });
  const stopPatrol =
    env.PATROL_RATE !== null && !dryRun
      ? startPatrol({
          store,
          pods,
          rateLimiter: new RedisRateLimiter(redis, prefix, env.PATROL_RATE, 'patrolPace'),
          spare: rateLimiter && (() => rateLimiter.takeSpare()),
          circuit,
          arming,
          system,
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
    system,
    every: WITNESS_CHECK_MS,
    open: () => false,
    gap: () => {},
    rewound: (shard) => logger.error({ shard }, 'Redis came back with older data: its sessions are in doubt'),
    failed: (err) => logger.debug({ err }, 'heartbeat failed'),
  });
  return {
    isRunning: () => isYielding || workers.isRunning(),
    async close() {
      sweep.stop();
      await Promise.all([workers.close(), schedule.close(), stopPatrol(), stopUpkeep(), stopHeartbeat(), stopAnnouncing(), stopWarnings()]);
      await Promise.all([webhooks?.close(), ledgerWriter?.close()]);
      await status.close();
    },
  };
}

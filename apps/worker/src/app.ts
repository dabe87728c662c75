import { randomUUID } from 'node:crypto';
import type { PodControl, SessionStore } from '@sandman/core';
import { Arming, type Observer, Permits, Reconciler, startUpkeep } from '@sandman/lifecycle';
import { AlarmQueues, AlarmWorkers } from '@sandman/queue';
import type { Logger, Metrics } from '@sandman/runtime';
import type { Redis } from 'ioredis';

export interface WorkerDeps {
  readonly redis: Redis;
  readonly prefix: string;
  readonly shards: number;
  readonly store: SessionStore;
  readonly pods: PodControl;
  /** Calls in flight at once. */
  readonly concurrency: number;
  /** How long an outcome may stay unknown, in ms. */
  readonly doubt: number;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

export interface WorkerApp {
  readonly alarms: AlarmQueues;
  isRunning(): boolean;
  /** Takes no more alarms and waits for the calls in flight. */
  close(): Promise<void>;
}

function observe(metrics: Metrics, logger: Logger): Observer {
  return {
    acted(action, outcome, seconds, session) {
      metrics.actions.inc({ action, outcome: outcome.kind });
      metrics.actionDuration.observe({ action }, seconds);
      if ('error' in outcome) logger.warn({ session, action, outcome: outcome.kind, reason: outcome.error }, 'call failed');
      else logger.info({ session, action, outcome: outcome.kind }, 'call ended');
    },
    late: (alarm, ms) => metrics.alarmLateness.observe({ alarm }, Math.max(0, ms) / 1_000),
    early: (alarm) => metrics.alarmsEarly.inc({ alarm }),
    failed: (err, session) => logger.error({ err, session }, 'an alarm could not be handled and will ring again'),
  };
}

/** The processors: alarms come in from BullMQ, calls go out to the session-manager. */
export function startWorker({ redis, prefix, shards, store, pods, concurrency, doubt, metrics, logger }: WorkerDeps): WorkerApp {
  const onError = (err: Error) => logger.error({ err }, 'queue error');
  const alarms = new AlarmQueues(redis, prefix, shards, onError);
  const arming = new Arming(store, alarms);
  const reconciler = new Reconciler({
    store,
    arming,
    pods,
    bounds: { doubt },
    permits: new Permits(concurrency),
    observer: observe(metrics, logger),
    surroundings: {
      elapsed: () => performance.now(),
      chance: Math.random,
      id: randomUUID,
      every(ms, run) {
        const timer = setInterval(run, ms);
        return () => clearInterval(timer);
      },
    },
  });
  const workers = new AlarmWorkers({
    connection: redis,
    prefix,
    shards,
    concurrency,
    handle: (alarm) => reconciler.handle(alarm),
    onError,
  });
  const stopUpkeep = startUpkeep({
    store,
    arming,
    repaired(marks) {
      metrics.sweepRepairs.inc({ kind: 'unarmed' }, marks);
      logger.warn({ marks }, 'armed what a crash had left unarmed');
    },
    failed: (err) => logger.error({ err }, 'upkeep failed'),
  });
  return {
    alarms,
    isRunning: () => workers.isRunning(),
    async close() {
      await Promise.all([workers.close(), stopUpkeep()]);
      await alarms.close();
    },
  };
}

import {
  ACTIONS,
  ACTIVITY_KINDS,
  ALARM_NAMES,
  CALL_RESULTS,
  type CallName,
  CHANGES,
  OUTCOME_KINDS,
  PATROL_FINDINGS,
  REPAIRS,
} from '@sandman/core';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { counter, histogram } from './series.ts';

const CALL_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The calls to the session-manager that each process makes. The API makes `delete` for a pod that it created and cannot track. */
const CALLS_OF: Readonly<Record<'api' | 'worker', readonly CallName[]>> = { api: ['create', 'chat', 'delete'], worker: ACTIONS };

export type Metrics = ReturnType<typeof createMetrics>;

/**
 * Creates the metrics of one process. Metrics that the process counts have their series from the start. Metrics of the fleet
 * have them after the first reading of Redis ({@link refreshFleet}), because a 0 before a large sum would look like a jump.
 */
export function createMetrics(process: 'api' | 'worker') {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const isApi = process === 'api';
  const isWorker = process === 'worker';
  return {
    registry,
    activity: counter(registry, {
      name: 'sandman_activity_total',
      help: 'Activity signals taken in',
      labels: { kind: ACTIVITY_KINDS, result: ['accepted', 'woke', 'not-found', 'deleted'] },
      counted: isApi,
    }),
    actions: counter(registry, {
      name: 'sandman_actions_total',
      help: 'Lifecycle calls by how they ended',
      labels: { action: ACTIONS, outcome: OUTCOME_KINDS },
      counted: isWorker,
    }),
    actionDuration: histogram(registry, {
      name: 'sandman_action_duration_seconds',
      help: 'How long lifecycle calls took',
      labels: { action: ACTIONS },
      buckets: CALL_SECONDS,
      counted: isWorker,
    }),
    alarmLateness: histogram(registry, {
      name: 'sandman_alarm_lateness_seconds',
      help: 'Acted minus due, of the alarms that acted',
      labels: { alarm: ALARM_NAMES },
      buckets: CALL_SECONDS,
      counted: isWorker,
    }),
    alarmsEarly: counter(registry, {
      name: 'sandman_alarms_early_total',
      help: 'Alarms that rang before there was anything to do',
      labels: { alarm: ALARM_NAMES },
      counted: isWorker,
    }),
    sweepRepairs: counter(registry, {
      name: 'sandman_sweep_repairs_total',
      help: 'Sessions whose alarms had to be mended',
      labels: { kind: REPAIRS },
      counted: isWorker,
    }),
    sessionManagerRequests: counter(registry, {
      name: 'sandman_session_manager_requests_total',
      help: 'Calls to the session-manager by the status it answered',
      labels: { call: CALLS_OF[process], status: CALL_RESULTS },
    }),
    circuitOpen: new Gauge({
      name: 'sandman_circuit_open',
      help: '1 while calls to the session-manager wait because it fails, or while it answers 404 for session after session',
      registers,
    }),
    patrol: counter(registry, {
      name: 'sandman_patrol_reads_total',
      help: 'Pods whose status the patrol read, by what it found: as recorded, something else, or no answer',
      labels: { found: PATROL_FINDINGS },
      counted: isWorker,
    }),
    clockSkew: new Gauge({
      name: 'sandman_clock_skew_seconds',
      help: "By how much this machine's clock is ahead of Redis'; below 0: behind",
      registers,
    }),
    dryRunConflict: new Gauge({
      name: 'sandman_dry_run_conflict',
      help: '1 while this process is to do a dry run and does nothing, because workers run that are not',
      registers,
    }),
    podSeconds: counter(registry, {
      name: 'sandman_pod_seconds_total',
      help: 'Time that pods were awake and asleep',
      labels: { state: [] },
    }),
    regrets: counter(registry, {
      name: 'sandman_regrets_total',
      help: 'Sessions woken within 5 minutes of their idle sleep',
      labels: { policy: [] },
    }),
    shadowPodSeconds: counter(registry, {
      name: 'sandman_shadow_pod_seconds_total',
      help: 'Time between activities that a shadow policy would have had pods awake, asleep and gone, and that they were by their own',
      labels: { policy: [], side: [], state: [] },
    }),
    shadowRegrets: counter(registry, {
      name: 'sandman_shadow_regrets_total',
      help: 'Sessions that a shadow policy would have woken within 5 minutes of their idle sleep, and that were by their own',
      labels: { policy: [], side: [] },
    }),
    dryRunCalls: counter(registry, {
      name: 'sandman_dry_run_calls_total',
      help: 'Calls that a dry run would have made, once a deadline',
      labels: { action: CHANGES },
      counted: isWorker,
    }),
    leakedPods: counter(registry, {
      name: 'sandman_leaked_pods_total',
      help: 'Pods that were made and are neither tracked nor deleted; the log names them',
      labels: {},
    }),
    webhookBacklog: new Gauge({ name: 'sandman_webhook_backlog', help: 'Webhooks that are not delivered yet', registers }),
    ledgerLag: new Gauge({ name: 'sandman_ledger_lag_seconds', help: 'Age of the oldest change that is not in the ledger yet', registers }),
    ledgerBacklog: new Gauge({ name: 'sandman_ledger_backlog', help: 'Changes that are not in the ledger yet', registers }),
    sessions: new Gauge({ name: 'sandman_sessions', help: 'Sessions by status', labelNames: ['status'], registers }),
    dueBacklog: new Gauge({ name: 'sandman_due_backlog', help: 'Alarms that are due and not done', labelNames: ['queue'], registers }),
  };
}

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const CALL_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export type Metrics = ReturnType<typeof createMetrics>;

/** The contract's metrics, of one process. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    activity: new Counter({ name: 'sandman_activity_total', help: 'Activity signals taken in', labelNames: ['kind', 'result'], registers }),
    actions: new Counter({
      name: 'sandman_actions_total',
      help: 'Lifecycle calls by how they ended',
      labelNames: ['action', 'outcome'],
      registers,
    }),
    actionDuration: new Histogram({
      name: 'sandman_action_duration_seconds',
      help: 'How long lifecycle calls took',
      labelNames: ['action'],
      buckets: CALL_SECONDS,
      registers,
    }),
    alarmLateness: new Histogram({
      name: 'sandman_alarm_lateness_seconds',
      help: 'Acted minus due, of the alarms that acted',
      labelNames: ['alarm'],
      buckets: CALL_SECONDS,
      registers,
    }),
    alarmsEarly: new Counter({
      name: 'sandman_alarms_early_total',
      help: 'Alarms that rang before there was anything to do',
      labelNames: ['alarm'],
      registers,
    }),
    sweepRepairs: new Counter({
      name: 'sandman_sweep_repairs_total',
      help: 'Sessions whose alarms had to be mended',
      labelNames: ['kind'],
      registers,
    }),
    sessionManagerRequests: new Counter({
      name: 'sandman_session_manager_requests_total',
      help: 'Calls to the session-manager by the status it answered',
      labelNames: ['call', 'status'],
      registers,
    }),
    circuitOpen: new Gauge({
      name: 'sandman_circuit_open',
      help: '1 while this process calls the session-manager only to find out whether it is back',
      registers,
    }),
    patrol: new Counter({
      name: 'sandman_patrol_reads_total',
      help: 'Pods whose status the patrol read, by what it found: as recorded, something else, or no answer',
      labelNames: ['found'],
      registers,
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
    podSeconds: new Counter({
      name: 'sandman_pod_seconds_total',
      help: 'Time that pods were awake and asleep',
      labelNames: ['state'],
      registers,
    }),
    regrets: new Counter({
      name: 'sandman_regrets_total',
      help: 'Sessions woken within 5 minutes of their idle sleep',
      labelNames: ['policy'],
      registers,
    }),
    shadowPodSeconds: new Counter({
      name: 'sandman_shadow_pod_seconds_total',
      help: 'Time between activities that a shadow policy would have had pods awake, asleep and gone, and that they were by their own',
      labelNames: ['policy', 'side', 'state'],
      registers,
    }),
    shadowRegrets: new Counter({
      name: 'sandman_shadow_regrets_total',
      help: 'Sessions that a shadow policy would have woken within 5 minutes of their idle sleep, and that were by their own',
      labelNames: ['policy', 'side'],
      registers,
    }),
    dryRunCalls: new Counter({
      name: 'sandman_dry_run_calls_total',
      help: 'Calls that a dry run would have made, once a deadline',
      labelNames: ['action'],
      registers,
    }),
    leakedPods: new Counter({
      name: 'sandman_leaked_pods_total',
      help: 'Pods that were made and are neither tracked nor deleted; the log names them',
      registers,
    }),
    webhooks: new Counter({
      name: 'sandman_webhooks_total',
      help: 'Tries to tell the receiver of webhooks something, by how they ended',
      labelNames: ['type', 'outcome'],
      registers,
    }),
    webhookBacklog: new Gauge({ name: 'sandman_webhook_backlog', help: 'Webhooks that are not delivered yet', registers }),
    ledgerLag: new Gauge({ name: 'sandman_ledger_lag_seconds', help: 'Age of the oldest change that is not in the ledger yet', registers }),
    ledgerBacklog: new Gauge({ name: 'sandman_ledger_backlog', help: 'Changes that are not in the ledger yet', registers }),
    sessions: new Gauge({ name: 'sandman_sessions', help: 'Sessions by status', labelNames: ['status'], registers }),
    dueBacklog: new Gauge({ name: 'sandman_due_backlog', help: 'Alarms that are due and not done', labelNames: ['queue'], registers }),
  };
}

import { savingsView, sessionView } from '@sandman/contracts';
import { LIVE_STATUSES, type LiveReading, statusOf } from '@sandman/core';
import type { AlarmQueues } from '@sandman/queue';
import { LOST_MS, type RedisJournal, type RedisSessionStore, type RedisShardState, type RedisWorkerRegistry } from '@sandman/store';
import { type HealthFigures, healthIssues } from './health.ts';
import type { Overview, Upcoming } from './wire.ts';

export interface OverviewSources {
  readonly store: RedisSessionStore;
  readonly shardState: RedisShardState;
  readonly journal: RedisJournal;
  readonly registry: RedisWorkerRegistry;
  readonly alarms: AlarmQueues;
  /** `POD_PRICE_PER_HOUR`; null if it is not set. */
  readonly podPrice: number | null;
}

/** How many of the next sleeps and deletes are shown. */
const MOST_UPCOMING = 8;
/** How many of the sessions whose calls fail are read. */
const MOST_FAILING = 20;
const DAY_MS = 86_400_000;

function upcomingChange({ record, now }: LiveReading): Upcoming | null {
  const { uuid, userId, sleepAt, deleteAt } = sessionView(record, now);
  const status = statusOf(record);
  if (status === 'active' && sleepAt) return { uuid, userId, what: 'sleep', at: sleepAt };
  if ((status === 'active' || status === 'sleeping') && deleteAt) return { uuid, userId, what: 'delete', at: deleteAt };
  return null;
}

/** Returns the next sleeps and deletes. The next alarms select the sessions; their records say what happens and when. */
async function nextChanges({ store, alarms }: OverviewSources): Promise<Upcoming[]> {
  const refs = (await Promise.all([alarms.next('sleep', MOST_UPCOMING * 2), alarms.next('delete', MOST_UPCOMING * 2)])).flat();
  const readings = await Promise.all([...new Set(refs.map(({ uuid }) => uuid))].map((uuid) => store.read(uuid)));
  const next = readings.flatMap(({ record, now }) => (record && upcomingChange({ record, now })) ?? []);
  return next.sort((a, b) => Date.parse(a.at) - Date.parse(b.at)).slice(0, MOST_UPCOMING);
}

/** Summarizes the sessions whose calls fail. */
function failingSummary({ count, first }: Awaited<ReturnType<RedisSessionStore['failing']>>): HealthFigures['failing'] {
  const [worst] = first;
  if (!worst) return { count: 0, longest: 0, lastError: '', userWaits: false };
  const { failingSince, lastError } = worst.record;
  return { count, longest: worst.now - failingSince, lastError, userWaits: first.some(({ record }) => record.wanted === 'awake') };
}

/** Reads the overview of the fleet, without the identity of the user who sees it. */
export async function overviewOf(sources: OverviewSources): Promise<Omit<Overview, 'identity'>> {
  const { store, shardState, journal, registry, alarms, podPrice } = sources;
  const [sessions, backlog, late, failing, usage, workers, repairs, ways, next] = await Promise.all([
    store.count(),
    alarms.backlog(),
    alarms.late(),
    store.failing(MOST_FAILING),
    journal.usage(),
    registry.workers(),
    registry.repairs(),
    shardState.oldestHeartbeat(),
    nextChanges(sources),
  ]);
  const { now, beatAgo } = ways;
  const recent = repairs.map((repair) => ({ ...repair, ago: now - repair.at })).filter(({ ago }) => ago < DAY_MS);
  const visits = workers.flatMap(({ sweptAgo, seenAgo }) => (sweptAgo === null ? [] : sweptAgo + seenAgo));
  const alive = workers.filter(({ seenAgo }) => seenAgo <= LOST_MS);
  const pods = { awake: 0, asleep: 0 };
  for (const { awakePods, asleepPods } of usage.values()) {
    pods.awake += awakePods;
    pods.asleep += asleepPods;
  }
  const live = LIVE_STATUSES.reduce((sum, status) => sum + sessions[status], 0);
  const { byPolicy: _, ...savings } = savingsView(usage, podPrice);
  return {
    now,
    troubles: healthIssues({ sessions: live, workers, backlog, late, failing: failingSummary(failing), beatAgo, repairs: recent }),
    sessions: Object.fromEntries(LIVE_STATUSES.map((status) => [status, sessions[status]])) as Overview['sessions'],
    backlog,
    workers: { alive: alive.length, barred: alive.filter(({ trouble }) => trouble !== null).length },
    failing: failing.count,
    sweep: {
      visitedAgo: visits.length === 0 ? null : Math.min(...visits),
      repairs: recent.reduce((sum, { count }) => sum + count, 0),
      last: recent[0] ?? null,
    },
    beatAgo,
    pods,
    savings,
    next,
  };
}

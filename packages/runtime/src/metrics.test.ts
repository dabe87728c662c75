import { ALARM_NAMES, CALL_RESULTS, OUTCOME_KINDS, REPAIRS } from '@sandman/core';
import { watchRunningTime } from '@sandman/sandbox';
import { expect, it } from 'vitest';
import { type Fleet, refreshFleet } from './fleet.ts';
import { createMetrics } from './metrics.ts';
import { scraper } from './scrape.ts';

/** Lists the series of a metric with their values. */
async function seriesOf({ registry }: { readonly registry: ReturnType<typeof createMetrics>['registry'] }, name: string) {
  const lines = (await registry.metrics()).matchAll(new RegExp(`^(${name}(?:_count)?(?:{.*})?) (\\S+)$`, 'gm'));
  return Object.fromEntries([...lines].map(([, series, value]) => [series!, Number(value)]));
}

const fleet: Fleet = {
  sessions: async () => ({ active: 3, 'falling-asleep': 0, sleeping: 0, waking: 0, deleting: 0 }),
  backlog: async () => ({ sleep: 1, delete: 0, wake: 0 }),
  usage: async () => new Map([['gone-from-policies', { awake: 5_000, asleep: 1_000, regrets: 2 }]]),
  shadows: async () => new Map(),
  policies: () => ({ names: ['balanced', 'custom'], shadows: ['eager'] }),
};

it('what a process counts has its series from the start, with 0, for each known label value', async () => {
  const metrics = createMetrics('worker');
  for (const kind of REPAIRS) {
    expect(await seriesOf(metrics, 'sandman_sweep_repairs_total')).toMatchObject({ [`sandman_sweep_repairs_total{kind="${kind}"}`]: 0 });
  }
  expect(Object.values(await seriesOf(metrics, 'sandman_actions_total'))).toEqual(Array(4 * OUTCOME_KINDS.length).fill(0));
  expect(Object.values(await seriesOf(metrics, 'sandman_alarm_lateness_seconds'))).toEqual(ALARM_NAMES.map(() => 0));
  const calls = await seriesOf(metrics, 'sandman_session_manager_requests_total');
  expect(Object.keys(calls)).toHaveLength(4 * CALL_RESULTS.length);
  expect(calls['sandman_session_manager_requests_total{call="wake",status="timeout"}']).toBe(0);
});

it('what only another process counts has none, and what describes the fleet none before Redis was read', async () => {
  const api = createMetrics('api');
  expect(await seriesOf(api, 'sandman_actions_total')).toEqual({});
  expect(Object.keys(await seriesOf(api, 'sandman_session_manager_requests_total')).join()).not.toContain('call="sleep"');
  expect(await seriesOf(createMetrics('worker'), 'sandman_activity_total')).toEqual({});
  expect(await seriesOf(api, 'sandman_(pod_seconds|regrets)_total')).toEqual({});
});

it('the fleet’s figures name each policy in force, and those that only Redis still knows', async () => {
  const metrics = createMetrics('api');
  await refreshFleet(metrics, fleet)();
  expect(await seriesOf(metrics, 'sandman_regrets_total')).toEqual({
    'sandman_regrets_total{policy="balanced"}': 0,
    'sandman_regrets_total{policy="custom"}': 0,
    'sandman_regrets_total{policy="gone-from-policies"}': 2,
  });
  expect(await seriesOf(metrics, 'sandman_pod_seconds_total')).toEqual({
    'sandman_pod_seconds_total{state="awake"}': 5,
    'sandman_pod_seconds_total{state="asleep"}': 1,
  });
  expect(await seriesOf(metrics, 'sandman_shadow_regrets_total')).toEqual({
    'sandman_shadow_regrets_total{policy="eager",side="would"}': 0,
    'sandman_shadow_regrets_total{policy="eager",side="was"}': 0,
  });
});

it('scrapes at once share one text, and the fleet is read once a second at most', async () => {
  const metrics = createMetrics('api');
  const from = performance.now();
  let reads = 0;
  const refresh = refreshFleet(metrics, { ...fleet, sessions: async () => ({ ...(await fleet.sessions()), active: ++reads }) });
  let texts = 0;
  const scrape = scraper(Object.assign(metrics.registry, { metrics: async () => `text ${++texts}` }), [refresh]);
  expect(new Set(await Promise.all(Array.from({ length: 50 }, scrape)))).toEqual(new Set(['text 1']));
  expect(await scrape()).toBe('text 2');
  expect(reads).toBeLessThanOrEqual(1 + Math.floor((performance.now() - from) / 1_000));
});

it('while Redis is away, or silent, the last figures stand, and a scrape waits for about a second', async () => {
  const metrics = createMetrics('worker');
  let sessions: () => ReturnType<Fleet['sessions']> = fleet.sessions;
  const refresh = refreshFleet(metrics, { ...fleet, sessions: () => sessions() });
  await refresh();
  const silent = () => new Promise<never>(() => {});
  const scrape = scraper(metrics.registry, [refresh, silent, () => Promise.reject(new Error('away'))]);
  sessions = silent;
  const running = watchRunningTime();
  for (let i = 0; i < 2; i++) {
    const from = Date.now();
    expect(await scrape()).toContain('sandman_sessions{status="active"} 3');
    expect(running.between(from, Date.now())).toBeLessThan(2_000);
  }
  running.stop();
});

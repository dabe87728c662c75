import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestStack } from './stack.ts';

/** The documented metrics, each with its labels. */
const CONTRACT: Record<string, readonly string[]> = {
  sandman_sessions: ['status'],
  sandman_activity_total: ['kind', 'result'],
  sandman_actions_total: ['action', 'outcome'],
  sandman_action_duration_seconds: ['action'],
  sandman_alarm_lateness_seconds: ['alarm'],
  sandman_alarms_early_total: ['alarm'],
  sandman_due_backlog: ['queue'],
  sandman_sweep_repairs_total: ['kind'],
  sandman_session_manager_requests_total: ['call', 'status'],
  sandman_circuit_open: [],
  sandman_pod_seconds_total: ['state'],
  sandman_regrets_total: ['policy'],
};

/** The values that a process exports, by series. */
type Scrape = Map<string, number>;

async function scrape(base: string): Promise<{ text: string; series: Scrape }> {
  const text = await (await fetch(`${base}/metrics`)).text();
  const lines = [...text.matchAll(/^([a-z_]+(?:{[^}]*})?) (\S+)$/gm)];
  return { text, series: new Map(lines.map(([, name, value]) => [name!, Number(value)])) };
}

let redis: FoundRedis;
let stack: TestStack;
let api: string;
let worker: string;

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url).start({ workers: 0 });
  api = stack.apiUrls[0]!;
  worker = (await stack.addWorker()).ops;
});

afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
});

it('scrapes cost Redis one reading a second of each process, however many there are', async () => {
  const client = new Redis(redis.url);
  // Only a reading runs ZCOUNT: once for each of three queues, to count due alarms.
  const readings = async () => Number(/^cmdstat_zcount:calls=(\d+)/m.exec(await client.info('commandstats'))?.[1] ?? 0) / 3;
  try {
    const before = await readings();
    const from = performance.now();
    for (let round = 0; round < 3; round++) {
      await Promise.all([api, worker].flatMap((base) => Array.from({ length: 20 }, () => scrape(base))));
    }
    const seconds = Math.ceil((performance.now() - from) / 1_000);
    const cost = (await readings()) - before;
    expect(cost).toBeGreaterThan(0);
    expect(cost).toBeLessThanOrEqual(2 * (seconds + 1));
  } finally {
    client.disconnect();
  }
});

it('every metric of the contract is declared by API and worker, with the labels it should have', async () => {
  const { uuid } = await stack.create('ada', 'balanced');
  await stack.ping(uuid);
  await stack.call('POST', `/v1/sessions/${uuid}/activity`, { kind: 'background' });
  // Only now, because none of the calls above may find it asleep.
  await stack.call('PATCH', `/v1/sessions/${uuid}`, { policy: { sleepAfter: '100ms', deleteAfter: '1h' } });
  await stack.until(uuid, 'sleeping');
  // It must not fall asleep again before it is deleted.
  await stack.call('PATCH', `/v1/sessions/${uuid}`, { policy: 'balanced' });
  await stack.ping(uuid);
  await stack.until(uuid, 'active');
  await stack.call('DELETE', `/v1/sessions/${uuid}`);
  await stack.until(uuid, 'deleted');
  await stack.call('POST', `/v1/sessions/${uuid}/activity`);
  await stack.call('POST', '/v1/sessions/nobody/activity');
  await stack.create('grace', 'balanced');
  const [ofApi, ofWorker] = await Promise.all([scrape(api), scrape(worker)]);
  for (const { text } of [ofApi, ofWorker]) {
    for (const name of Object.keys(CONTRACT)) expect(text, name).toMatch(new RegExp(`^# TYPE ${name} (counter|gauge|histogram)$`, 'm'));
  }
  for (const { series } of [ofApi, ofWorker]) {
    for (const one of series.keys()) {
      const [, name, labels] = /^(sandman_[a-z_]+?)(?:_bucket|_sum|_count)?(?:{(.*)})?$/.exec(one) ?? [];
      const known = name === undefined ? undefined : CONTRACT[name];
      if (!known) continue;
      const given = [...(labels ?? '').matchAll(/(\w+)="/g)].map(([, label]) => label!).filter((label) => label !== 'le');
      expect(given, one).toEqual(known);
    }
  }
});

it('an API counts signals by what became of them, and what it asks of the session-manager', async () => {
  const { series } = await scrape(api);
  expect(series.get('sandman_activity_total{kind="user",result="accepted"}')).toBe(1);
  expect(series.get('sandman_activity_total{kind="background",result="accepted"}')).toBe(1);
  expect(series.get('sandman_activity_total{kind="user",result="woke"}')).toBe(1);
  expect(series.get('sandman_activity_total{kind="user",result="deleted"}')).toBe(1);
  expect(series.get('sandman_activity_total{kind="user",result="not-found"}')).toBe(1);
  expect(series.get('sandman_session_manager_requests_total{call="create",status="200"}')).toBe(2);
});

it('a worker counts its calls by how they ended, how long they took, and how late they were', async () => {
  const { series } = await scrape(worker);
  for (const action of ['sleep', 'wake', 'delete']) {
    expect(series.get(`sandman_actions_total{action="${action}",outcome="done"}`), action).toBe(1);
    expect(series.get(`sandman_action_duration_seconds_count{action="${action}"}`), action).toBe(1);
    expect(series.get(`sandman_session_manager_requests_total{call="${action}",status="200"}`), action).toBe(1);
  }
  // The sleep was due at its deadline; the delete was requested.
  expect(series.get('sandman_alarm_lateness_seconds_count{alarm="sleep"}')).toBe(1);
  expect(series.get('sandman_alarm_lateness_seconds_count{alarm="delete"}')).toBe(0);
  expect(series.get('sandman_circuit_open')).toBe(0);
});

it('what describes the fleet reads the same from both', async () => {
  // The figures of the fleet are up to a second old.
  const isUpToDate = ({ series }: { series: Scrape }) =>
    series.get('sandman_due_backlog{queue="delete"}') === 0 && series.get('sandman_sessions{status="active"}') === 1;
  const [ofApi, ofWorker] = await waitFor('nothing is due', async () => {
    const both = await Promise.all([scrape(api), scrape(worker)]);
    return both.every(isUpToDate) ? both : null;
  });
  const fleet = [...ofApi.series.keys()].filter((one) => /^sandman_(sessions|due_backlog|regrets_total)/.test(one));
  expect(fleet.length).toBeGreaterThan(8);
  for (const one of fleet) expect(ofWorker.series.get(one), one).toBe(ofApi.series.get(one));
  expect(ofApi.series.get('sandman_sessions{status="active"}')).toBe(1);
  expect(ofApi.series.get('sandman_regrets_total{policy="balanced"}')).toBe(1);
  for (const { series } of [ofApi, ofWorker]) {
    for (const state of ['awake', 'asleep']) expect(series.get(`sandman_pod_seconds_total{state="${state}"}`)).toBeGreaterThan(0);
  }
});

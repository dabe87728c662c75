import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ACTIONS, ALARM_NAMES, OUTCOME_KINDS, PolicySet, REPAIRS } from '@sandman/core';
import { type FoundRedis, lacks, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestStack } from './stack.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const rules = read('deploy/monitoring/alerts.yml');
const dashboard = JSON.parse(read('deploy/monitoring/grafana-dashboard.json')) as {
  panels: { title: string; targets: { expr: string }[] }[];
};
const expressions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

describe('the metrics that alerts and dashboard ask for', () => {
  const exported = new Set<string>();
  /** The series of the first scrape of each process, with their values. */
  const first = new Map<string, number>();
  let redis: FoundRedis;
  let stack: TestStack;

  beforeAll(async () => {
    redis = await redisForTests();
    stack = await new TestStack(redis.url).start({ workers: 0 });
    const worker = await stack.addWorker();
    for (const base of [stack.apiUrls[0], worker.ops]) {
      const text = await (await fetch(`${base}/metrics`)).text();
      for (const [, series, value] of text.matchAll(/^(\w+(?:{.*})?) (\S+)$/gm)) {
        // The test itself has requested /readyz.
        if (!series!.includes('route="/readyz"')) first.set(series!, Number(value));
      }
      for (const [, name, kind] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
        exported.add(name!);
        if (kind === 'histogram') exported.add(`${name}_bucket`);
      }
    }
  });

  afterAll(async () => {
    await stack?.stop();
    await redis?.stop();
  });

  it('have alarms that are due and that nobody takes up in the backlog', async () => {
    const alone = await new TestStack(redis.url).start({ workers: 0 });
    try {
      for (const user of ['ada', 'grace']) await alone.create(user, { sleepAfter: '100ms', deleteAfter: '1h' });
      await waitFor('both stand there', async () =>
        /^sandman_due_backlog{queue="sleep"} 2$/m.test(await (await fetch(`${alone.apiUrls[0]}/metrics`)).text()),
      );
    } finally {
      await alone.stop();
    }
  });

  it('are all there with 0 at the first scrape, where an expression asks for their increase', () => {
    const asked = [rules, ...expressions].flatMap((text) => [...text.matchAll(/\b(?:rate|increase)\((\w+)(?:{([^}]*)})?\[/g)]);
    expect(asked.length).toBeGreaterThan(10);
    for (const [expression, name, matchers = ''] of asked) {
      const labels = matchers.match(/\w+="[^"]*"/g) ?? [];
      const series = [...first].filter(([one]) => /^\w+/.exec(one)![0] === name && labels.every((label) => one.includes(label)));
      expect(series.length, expression).toBeGreaterThan(0);
      expect(
        series.filter(([, value]) => value !== 0),
        expression,
      ).toEqual([]);
    }
  });

  it('have a series for each repair, each end of a call and each policy at the first scrape', () => {
    const expected = [
      ...REPAIRS.map((kind) => `sandman_sweep_repairs_total{kind="${kind}"}`),
      ...ACTIONS.flatMap((action) => OUTCOME_KINDS.map((outcome) => `sandman_actions_total{action="${action}",outcome="${outcome}"}`)),
      ...ALARM_NAMES.map((alarm) => `sandman_alarm_lateness_seconds_count{alarm="${alarm}"}`),
      ...new PolicySet().names().map((policy) => `sandman_regrets_total{policy="${policy}"}`),
      'http_request_duration_seconds_count{method="POST",route="/v1/sessions",status="201"}',
      'http_request_duration_seconds_count{method="POST",route="/v1/sessions/:uuid/activity",status="202"}',
    ];
    expect(expected.filter((series) => first.get(series) !== 0)).toEqual([]);
  });

  it('are exported by an API or a worker', () => {
    const asked = [rules, ...expressions].flatMap((text) => text.match(/\b(sandman|http|process|nodejs)_[a-z_]+\b/g) ?? []);
    expect(asked.length).toBeGreaterThan(20);
    expect([...new Set(asked)].filter((name) => !exported.has(name))).toEqual([]);
  });
});

it('every alert says what to do, under its name', () => {
  const runbook = read('docs/operations.md');
  const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
  expect(alerts.length).toBeGreaterThan(0);
  for (const alert of alerts) {
    expect(runbook).toContain(`\n### ${alert}\n`);
    expect(rules).toContain(`runbook: docs/operations.md#${alert.toLowerCase()}\n`);
  }
});

const missing = spawnSync('promtool', ['--version']).error ? "install Debian's prometheus package, for its promtool" : null;

describe.skipIf(lacks('promtool', missing))('promtool', () => {
  const promtool = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: ROOT, encoding: 'utf8' });
    return { status, said: `${stdout}${stderr}` };
  };

  it('finds the rules well-formed', () => {
    expect(promtool('check', 'rules', 'deploy/monitoring/alerts.yml')).toMatchObject({ status: 0 });
  });

  it('sees each alert fire when it should, and none when all is well', () => {
    const tests = read('deploy/monitoring/alerts.test.yml');
    const fromTheFirst = tests.slice(tests.indexOf("- name: from a process's first scrape on"));
    for (const [, alert] of rules.matchAll(/- alert: (\w+)/g)) {
      expect(tests).toMatch(new RegExp(`alertname: ${alert}\\n +exp_alerts`));
      expect(tests).toContain(`{ eval_time: 100m, alertname: ${alert} }`);
      expect(fromTheFirst).toMatch(new RegExp(`alertname: ${alert}\\n +exp_alerts`));
    }
    const { status, said } = promtool('test', 'rules', 'deploy/monitoring/alerts.test.yml');
    expect(status, said).toBe(0);
  });

  it('understands every panel of the dashboard', () => {
    const dir = mkdtempSync(join(tmpdir(), 'sandman-dashboard-'));
    try {
      const file = join(dir, 'panels.json');
      const recorded = expressions.map((expr, i) => ({ record: `panel:${i}`, expr }));
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules: recorded }] }));
      const { status, said } = promtool('check', 'rules', file);
      expect(status, said).toBe(0);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

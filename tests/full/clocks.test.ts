import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { logLinesOf } from '../process-log.ts';
import { TestStack } from '../stack.ts';

/** How late a deadline may be met on a busy machine, in ms. One that is met by the worker's clock is later, or early. */
const LATE_MS = 10_000;

let redis: FoundRedis;

beforeAll(async () => {
  redis = await redisForTests();
});

afterAll(() => redis?.stop());

/** Returns the environment that shifts a process's clock by `ms` from this machine's clock, which Redis uses here. */
const clockOff = (ms: number) => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(`const { now } = Date; Date.now = () => now() + ${ms};`)}`,
});

async function metric(ops: string, name: string): Promise<number> {
  const text = await (await fetch(`${ops}/metrics`)).text();
  return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1]);
}

async function sum(ops: string, name: string): Promise<number> {
  const text = await (await fetch(`${ops}/metrics`)).text();
  return [...text.matchAll(new RegExp(`^${name}(?:{.*})? (.+)$`, 'gm'))].reduce((all, [, value]) => all + Number(value), 0);
}

describe.concurrent('a worker whose clock differs from Redis’', { timeout: 150_000 }, () => {
  it.each([
    ['20 s behind', -20_000],
    ['60 s ahead', 60_000],
  ])('%s: deadlines are met by Redis’ clock, and operators are told', async (_, ms) => {
    const stack = new TestStack(redis.url);
    try {
      await stack.start({ workers: 0 });
      const worker = await stack.addWorker(clockOff(ms));
      const sessions = await Promise.all(
        Array.from({ length: 5 }, (_, i) => stack.create(`user-${i}`, { sleepAfter: `${2_000 + 500 * i}ms`, deleteAfter: '8s' })),
      );
      for (const { uuid } of sessions) await stack.until(uuid, 'deleted', 60_000);
      for (const { uuid, sleepAt } of sessions) {
        const [sleep] = await stack.calls(uuid, 'sleep');
        const [remove] = await stack.calls(uuid, 'delete');
        const late = { sleep: sleep!.at - Date.parse(sleepAt!), remove: remove!.at - sleep!.doneAt - 8_000 };
        for (const [what, by] of Object.entries(late)) if (by < -50 || by > LATE_MS) throw new Error(`${what} came ${by} ms late`);
      }
      // It is measured each second, and wrong where the machine stands still meanwhile.
      const skew = () => metric(worker.ops, 'sandman_clock_skew_seconds');
      await waitFor('the skew is told', async () => Math.abs((await skew()) - ms / 1_000) <= 0.5);
      const warnings = logLinesOf(worker).filter(({ msg }) => /clock differs from Redis/.test(String(msg)));
      if (warnings.length !== 1) throw new Error(`${warnings.length} log lines of the difference`);
      if ((await sum(worker.ops, 'sandman_sweep_repairs_total')) !== 0) throw new Error('the sweep had to repair');
    } finally {
      await stack.stop();
    }
  });

  it('beside one whose clock is right, which is killed: no alarm was set late by the other', async ({ expect, onTestFinished }) => {
    const stack = new TestStack(redis.url);
    onTestFinished(() => stack.stop());
    await stack.start({ workers: 0 });
    const ahead = await stack.addWorker(clockOff(60_000));
    const { uuid, sleepAt } = await stack.create('ada', { sleepAfter: '20s', deleteAfter: '1h' });
    // By its own clock, the worker that is ahead takes the alarm before its time, again and again.
    await waitFor('a second passes', () => Date.now() > Date.parse(sleepAt!) - 19_000);
    const right = await stack.addWorker();
    ahead.kill('SIGKILL');
    await ahead.exited;
    await stack.until(uuid, 'sleeping', 60_000);
    const [sleep] = await stack.calls(uuid, 'sleep');
    // BullMQ gives the killed worker's job to another one after 7.5 s.
    expect(sleep!.at - Date.parse(sleepAt!)).toBeLessThan(7_500 + LATE_MS);
    expect(await sum(right.ops, 'sandman_sweep_repairs_total')).toBe(0);
  });

  it('by which nothing is measured: the backlog is what is due by Redis’ clock', async ({ onTestFinished }) => {
    const stack = new TestStack(redis.url);
    onTestFinished(() => stack.stop());
    await stack.start({ workers: 0 });
    await stack.addApi(undefined, clockOff(-30_000));
    const { uuid } = await stack.create('ada', { sleepAfter: '500ms', deleteAfter: '1h' });
    const backlogs = () =>
      Promise.all(
        stack.apiUrls.map(async (url) => {
          const text = await (await fetch(`${url}/metrics`)).text();
          return Number(/^sandman_due_backlog{queue="sleep"} (.+)$/m.exec(text)?.[1]);
        }),
      );
    await waitFor('both see what is due', async () => (await backlogs()).every((count) => count === 1));
    await stack.addWorker();
    await stack.until(uuid, 'sleeping');
    await waitFor('nothing is due any more', async () => (await backlogs()).every((count) => count === 0));
  });
});

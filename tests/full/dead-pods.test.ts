import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { logLinesOf } from '../process-log.ts';
import { type SessionBody, TestStack } from '../stack.ts';

/** The longest wait of a live session's user, in ms: no delay, plus a margin for a busy machine. */
const PROMPT = 2_000;

let redis: FoundRedis;

beforeAll(async () => {
  redis = await redisForTests();
});

afterAll(() => redis?.stop());

/** Starts a stack with `count` sessions whose pods have a fault, and one live session. */
async function withBroken(count: number, fault: Record<string, unknown>) {
  const stack = await new TestStack(redis.url).start({});
  const broken = await Promise.all(Array.from({ length: count }, (_, i) => stack.create(`broken-${i}`)));
  const alive = await stack.create('ada');
  for (const { uuid } of broken) await stack.fault({ uuid, fault });
  return { stack, broken, alive };
}

/**
 * Measures how long a live session's user waits for a wake, `times` times. Returns the longest wait but one, in ms: during the longest,
 * the machine may have stood still.
 */
async function wakes(stack: TestStack, { uuid }: SessionBody, times: number): Promise<number> {
  const waits: number[] = [];
  for (let i = 0; i < times; i++) {
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    // Calls that hang are no retries before their second failure: until then this sleep queues with them.
    await stack.until(uuid, 'sleeping', 60_000);
    const from = Date.now();
    const { status } = await stack.call('POST', `/v1/sessions/${uuid}/wake?wait=60s`);
    if (status !== 200) throw new Error(`the wake was answered ${status}`);
    waits.push(Date.now() - from);
  }
  return waits.toSorted((a, b) => a - b).at(-2)!;
}

const retries = async (stack: TestStack, broken: readonly SessionBody[]) =>
  (await Promise.all(broken.map(({ uuid }) => stack.calls(uuid)))).flat().filter(({ call }) => call !== 'create').length;

describe.concurrent('pods that are broken hold up no live session', { timeout: 240_000 }, () => {
  it.each([
    ['that always answer 500', { status: 500 }],
    ['that are gone (404)', { status: 404 }],
    ['that cut the connection', { cut: 'before' }],
  ])('%s', async (_, fault) => {
    const { stack, broken, alive } = await withBroken(12, fault);
    try {
      await Promise.all(broken.map(({ uuid }) => stack.call('POST', `/v1/sessions/${uuid}/sleep`)));
      await waitFor('they are tried again and again', async () => (await retries(stack, broken)) >= 36, 120_000);
      const wait = await wakes(stack, alive, 5);
      if (wait > PROMPT) throw new Error(`wakes took ${wait} ms`);
      const open = logLinesOf(stack.workers[0]!).filter(({ msg }) => msg.startsWith('the session-manager fails'));
      if (open.length > 0) throw new Error('the circuit was open');
    } finally {
      await stack.stop();
    }
  });

  it('that hang, tried again and again: they hold half of the permits at most', async ({ expect }) => {
    const stack = await new TestStack(redis.url, {
      WORKER_CONCURRENCY: '10',
      SESSION_MANAGER_TIMEOUT: '2s',
      LATE_EFFECT_BOUND: '1s',
    }).start({});
    try {
      const broken = await Promise.all(Array.from({ length: 30 }, (_, i) => stack.create(`broken-${i}`)));
      const alive = await stack.create('ada');
      for (const { uuid } of broken) await stack.fault({ uuid, fault: { hang: true } });
      await Promise.all(broken.map(({ uuid }) => stack.call('POST', `/v1/sessions/${uuid}/sleep`)));
      await waitFor(
        'each has failed',
        async () => (await Promise.all(broken.map(({ uuid }) => stack.calls(uuid, 'sleep')))).every(({ length }) => length > 0),
        90_000,
      );
      expect(await wakes(stack, alive, 4)).toBeLessThan(PROMPT);
    } finally {
      await stack.stop();
    }
  });
});

it('a session-manager that is really down is left alone, and all goes on when it answers', { timeout: 180_000 }, async ({
  expect,
  onTestFinished,
}) => {
  const stack = await new TestStack(redis.url).start({});
  onTestFinished(() => stack.stop());
  const sessions = await Promise.all(Array.from({ length: 12 }, (_, i) => stack.create(`user-${i}`)));
  const [waiting] = sessions;
  await stack.call('POST', `/v1/sessions/${waiting!.uuid}/sleep`);
  await stack.until(waiting!.uuid, 'sleeping');
  const { id } = await stack.fault({ fault: { status: 503 } });
  await Promise.all(sessions.slice(1).map(({ uuid }) => stack.call('POST', `/v1/sessions/${uuid}/sleep`)));
  await waitFor('the circuit is open', () => logLinesOf(stack.workers[0]!).some(({ msg }) => msg.startsWith('the session-manager fails')));
  await stack.ping(waiting!.uuid);
  const from = Date.now();
  await waitFor('10 s pass', () => Date.now() - from > 10_000);
  // The wake is never used to probe the session-manager; its back-off would delay it after the recovery.
  expect(await stack.calls(waiting!.uuid, 'wake')).toEqual([]);
  const during = (await stack.sim<{ items: { at: number }[] }>('GET', '/sim/journal')).items.filter(
    ({ at }) => at > from && at <= from + 10_000,
  );
  // Probes and single attempts at 0, 1, 3, 7 and 12 s.
  expect(during.length).toBeLessThan(30);
  await stack.sim('DELETE', `/sim/faults/${id}`);
  const back = Date.now();
  await stack.until(waiting!.uuid, 'active', 30_000);
  // The circuit is probed every 5 s, and the machine may stand still for as long.
  expect(Date.now() - back).toBeLessThan(10_000 + PROMPT);
  for (const { uuid } of sessions.slice(1)) await stack.until(uuid, 'sleeping', 60_000);
});

import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type SessionBody, TestStack } from '../stack.ts';

/** The time limit for a patrol, which visits each session every 15 s, on a busy machine; in ms. */
const PATROLLED = 45_000;
/** How much the travel times of two reads may differ on a busy machine, in ms. */
const JOURNEY = 5_000;

let redis: FoundRedis;
/** Has no patrol, so only users' requests find a changed pod. */
let stack: TestStack;
let patrolled: TestStack;

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url).start({});
  patrolled = await new TestStack(redis.url, { PATROL_RATE: '5' }).start({ workers: 2 });
});

afterAll(async () => {
  await stack?.stop();
  await patrolled?.stop();
  await redis?.stop();
});

/** Scales the pod as a node drain or `kubectl` does, without a call to the session-manager. */
async function scale(on: TestStack, { uuid, userId }: SessionBody, replicas: number): Promise<void> {
  await on.sim('POST', '/sim/pods', { uuid, userId, replicas });
}

async function replicas(on: TestStack, uuid: string): Promise<number | undefined> {
  const { items } = await on.sim<{ items: { uuid: string; replicas: number }[] }>('GET', '/sim/pods');
  return items.find((pod) => pod.uuid === uuid)?.replicas;
}

/** Returns the names of the calls for a session, without its creation. */
const callsOf = async (on: TestStack, uuid: string) => (await on.calls(uuid)).map(({ call }) => call).slice(1);

describe.concurrent('an active session whose pod was put to sleep without Sandman', { timeout: 120_000 }, () => {
  it('a manual wake reads the status, and answers 200 when the pod is awake', async ({ expect }) => {
    const session = await stack.create('ada');
    await scale(stack, session, 0);
    const woken = await stack.call('POST', `/v1/sessions/${session.uuid}/wake?wait=30s`);
    expect(woken).toMatchObject({ status: 200, body: { status: 'active' } });
    expect(await replicas(stack, session.uuid)).toBe(1);
    expect(await callsOf(stack, session.uuid)).toEqual(['status', 'wake']);
  });

  it('a manual wake does not answer 200 before it knows', async ({ expect }) => {
    const session = await stack.create('bob');
    await scale(stack, session, 0);
    const { id } = await stack.fault({ call: 'status', uuid: session.uuid, fault: { hang: true } });
    const woken = await stack.call('POST', `/v1/sessions/${session.uuid}/wake?wait=1s`);
    expect(woken.status).toBe(202);
    await stack.sim('DELETE', `/sim/faults/${id}`);
  });

  it.each([
    ['502', { status: 502 }],
    ['503', { status: 503 }],
    ['504', { status: 504 }],
    ['a broken connection', { cut: 'before' }],
  ])('a chat that is answered with %s has it repaired, and the next message gets through', async (_, fault) => {
    const session = await stack.create('eve');
    const { uuid } = session;
    await scale(stack, session, 0);
    // The answer of an ingress for a pod without replicas.
    const { id } = await stack.fault({ call: 'chat', uuid, fault });
    const answer = await stack.call('POST', `/v1/sessions/${uuid}/chat`, { message: 'hello' });
    if (answer.status < 502) throw new Error(`the first message was answered ${answer.status}`);
    await stack.sim('DELETE', `/sim/faults/${id}`);
    // Sent at once; it waits for the repair.
    const next = await stack.call<{ reply: string }>('POST', `/v1/sessions/${uuid}/chat`, { message: 'again' });
    if (next.status !== 200 || next.body.reply !== 'again') throw new Error(`the next message was answered ${next.status}`);
    if ((await replicas(stack, uuid)) !== 1) throw new Error('the pod was not woken');
  });

  it('a PUT reads the status, and has it repaired', async ({ expect }) => {
    const session = await stack.create('dan');
    await scale(stack, session, 0);
    expect((await stack.call('PUT', `/v1/sessions/${session.uuid}`, { userId: 'dan' })).status).toBe(200);
    await waitFor('the pod is woken', async () => (await replicas(stack, session.uuid)) === 1);
  });

  it('a message right after a wake is sent again while the pod does not serve yet, and no other message is', async ({ expect }) => {
    const { uuid } = await stack.create('grace');
    const chat = async (message: string) => stack.call<{ reply: string }>('POST', `/v1/sessions/${uuid}/chat`, { message });
    await stack.fault({ call: 'chat', uuid, times: 1, fault: { status: 503 } });
    expect((await chat('long awake')).status).toBe(503);
    await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await stack.until(uuid, 'sleeping');
    await stack.fault({ call: 'chat', uuid, times: 3, fault: { status: 503 } });
    expect(await chat('hello')).toMatchObject({ status: 200, body: { reply: 'hello' } });
    // A message that may have reached the pod is not sent again.
    await stack.fault({ call: 'chat', uuid, times: 1, fault: { cut: 'before' } });
    expect((await chat('once')).status).toBe(502);
    expect((await stack.calls(uuid, 'chat')).map(({ status }) => status)).toEqual([503, 503, 503, 503, 200, 0]);
  });
});

describe.concurrent('a patrol finds without any request for the session', { timeout: 3 * PATROLLED }, () => {
  it('a pod that is asleep and wanted awake: it is woken', async ({ expect }) => {
    const session = await patrolled.create('ada');
    await scale(patrolled, session, 0);
    await waitFor('the pod is woken', async () => (await replicas(patrolled, session.uuid)) === 1, PATROLLED);
    expect(await callsOf(patrolled, session.uuid)).toContain('wake');
  });

  it('a pod that is awake and should be asleep: it is put to sleep again', async ({ expect }) => {
    const session = await patrolled.create('bob');
    await patrolled.call('POST', `/v1/sessions/${session.uuid}/sleep`);
    await patrolled.until(session.uuid, 'sleeping');
    await scale(patrolled, session, 1);
    await waitFor('the pod is put to sleep', async () => (await replicas(patrolled, session.uuid)) === 0, PATROLLED);
    expect((await patrolled.calls(session.uuid, 'sleep')).length).toBe(2);
  });

  it('a pod that is gone: confirmed by a second 404, and the session ends', async ({ expect }) => {
    const session = await patrolled.create('eve');
    const { id } = await patrolled.fault({ uuid: session.uuid, fault: { status: 404 } });
    await patrolled.until(session.uuid, 'deleted', 2 * PATROLLED);
    await patrolled.sim('DELETE', `/sim/faults/${id}`);
    const answers = (await patrolled.calls(session.uuid, 'status')).filter(({ status }) => status === 404).map(({ at }) => at);
    expect(answers.at(-1)! - answers[0]!).toBeGreaterThanOrEqual(10_000);
  });
});

it('a patrol reads nothing more often than every 15 s, and no faster than PATROL_RATE over both workers', {
  timeout: 4 * PATROLLED,
}, async ({ expect, onTestFinished }) => {
  const own = new TestStack(redis.url, { PATROL_RATE: '5' });
  onTestFinished(() => own.stop());
  await own.start({ workers: 2 });
  const sessions = await Promise.all(Array.from({ length: 40 }, (_, i) => own.create(`user-${i}`)));
  const from = Date.now();
  const timesOf = async () => {
    const { items } = await own.sim<{ items: { call: string; uuid: string; at: number }[] }>('GET', '/sim/journal');
    const reads = items.filter(({ call, at }) => call === 'status' && at > from);
    return sessions.map(({ uuid }) => reads.filter((read) => read.uuid === uuid).map(({ at }) => at));
  };
  const all = await waitFor(
    'two rounds',
    async () => {
      const times = await timesOf();
      return times.every(({ length }) => length >= 2) ? times : null;
    },
    2 * PATROLLED,
  );
  const lasted = Math.max(...all.flat()) - from;
  expect(all.flat().length).toBeLessThanOrEqual(5 * (lasted / 1_000 + 2));
  for (const times of all) {
    for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThan(15_000 - JOURNEY);
  }
});

it('a patrol that hangs delays no wake, no sleep and no delete', { timeout: 120_000 }, async ({ expect, onTestFinished }) => {
  const slow = new TestStack(redis.url, { PATROL_RATE: '50', WORKER_CONCURRENCY: '3' });
  onTestFinished(() => slow.stop());
  await slow.start({});
  const sessions = await Promise.all(Array.from({ length: 20 }, (_, i) => slow.create(`user-${i}`)));
  await slow.fault({ call: 'status', fault: { hang: true } });
  const stuck = async () => (await Promise.all(sessions.map(({ uuid }) => slow.calls(uuid, 'status')))).flat().length;
  await waitFor('status reads hang', async () => (await stuck()) >= 10);
  const [first, second] = sessions;
  const from = Date.now();
  await slow.call('POST', `/v1/sessions/${first!.uuid}/sleep`);
  await slow.until(first!.uuid, 'sleeping');
  await slow.ping(first!.uuid);
  await slow.until(first!.uuid, 'active');
  await slow.call('DELETE', `/v1/sessions/${second!.uuid}`);
  await slow.until(second!.uuid, 'deleted');
  // Each read hangs for 30 s.
  expect(Date.now() - from).toBeLessThan(20_000);
});

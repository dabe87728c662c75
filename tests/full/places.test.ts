import { request } from 'node:http';
import { formLogin, type RedisServer, startRedis, waitFor } from '@sandman/sandbox';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { API_KEY, OPERATOR, TestStack } from '../stack.ts';

/** The number of event streams that an API serves at once, and of live pages that the dashboard serves to one login. */
const STREAMS = 200;
const PAGES = 30;

let server: RedisServer;
let redis: Redis;
let stack: TestStack;
let dashboard: string;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  stack = await new TestStack(server.url).start({});
  dashboard = (await stack.addDashboard()).url;
});

afterAll(async () => {
  redis?.disconnect();
  await stack?.stop();
  await server?.stop();
});

/** Sends a request. Returns its status once known, whether it is open, and a function that closes it. */
function ask(url: string, headers: Record<string, string>, method = 'GET') {
  const call = request(url, { method, headers, agent: false });
  let isOpen = true;
  const status = new Promise<number>((resolve) => {
    call.on('response', (answer) => {
      answer.on('error', () => {}).resume();
      resolve(answer.statusCode!);
    });
    call.on('error', () => resolve(0));
  });
  call.on('close', () => {
    isOpen = false;
  });
  call.end();
  return { status, isOpen: () => isOpen, hangUp: () => call.destroy() };
}

const stream = () => ask(`${stack.apiUrls[0]}/v1/events`, { 'x-api-key': API_KEY });

/** Sends three times as many requests as there are places. Returns how many are still being served, and the statuses of the others. */
async function crowd(open: () => ReturnType<typeof ask>, places: number) {
  const calls = Array.from({ length: 3 * places }, open);
  const answered = await Promise.all(calls.map(async (call) => ({ ...call, status: await call.status })));
  const served = answered.filter(({ status, isOpen }) => status === 200 && isOpen()).length;
  for (const { hangUp } of calls) hangUp();
  return { served, refusals: new Set(answered.map(({ status }) => status).filter((status) => status !== 200)) };
}

it('event streams: no more than there are places, however many come at once and however early they leave', async () => {
  const early = Array.from({ length: 400 }, stream);
  for (const [index, { hangUp }] of early.entries()) setTimeout(hangUp, index % 20);
  await Promise.all(early.map(({ status }) => status));
  await waitFor('all places are free again', async () => {
    const { served, refusals } = await crowd(stream, STREAMS);
    expect(refusals).toEqual(new Set([503]));
    expect(served).toBeLessThanOrEqual(STREAMS);
    return served === STREAMS;
  });
});

it('pages of a login: no more than there are places, however early they are left', async () => {
  const { headers } = await formLogin(dashboard, OPERATOR.user, OPERATOR.password);
  const page = () => ask(`${dashboard}/api/live`, headers as Record<string, string>);
  const early = Array.from({ length: 100 }, page);
  for (const [index, { hangUp }] of early.entries()) setTimeout(hangUp, index % 10);
  await Promise.all(early.map(({ status }) => status));
  await waitFor('all places are free again', async () => {
    const { served, refusals } = await crowd(page, PAGES);
    expect(refusals).toEqual(new Set([429]));
    expect(served).toBeLessThanOrEqual(PAGES);
    return served === PAGES;
  });
});

it('callers who waited for a wake and hung up cost Redis nothing', async () => {
  const { uuid } = await stack.create('ada');
  await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
  await stack.until(uuid, 'sleeping');
  await stack.fault({ call: 'wake', fault: { hang: true } });
  /** Returns how many commands Redis has run, including those that scripts ran. */
  const commands = async () =>
    [...(await redis.info('commandstats')).matchAll(/calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0);
  /** Returns how many commands Redis runs per second, over a second or the longer time that it takes on a busy machine. */
  const inASecond = async () => {
    const before = await commands();
    const from = performance.now();
    await waitFor('a second passes', () => performance.now() > from + 1_000);
    const ran = (await commands()) - before;
    return (ran * 1_000) / (performance.now() - from);
  };
  const idle = await inASecond();
  const waits = Array.from({ length: 300 }, () =>
    ask(`${stack.apiUrls[0]}/v1/sessions/${uuid}/wake?wait=120s`, { 'x-api-key': API_KEY }, 'POST'),
  );
  await waitFor('they wait', async () => (await inASecond()) > idle + 500);
  // Each waiting call counts as activity once a second, and they share their reads. Separate reads would make 18,000 commands.
  expect(await inASecond()).toBeLessThan(6_000);
  for (const { hangUp } of waits) hangUp();
  await waitFor('it is as before', async () => (await inASecond()) < 2 * idle + 100);
});

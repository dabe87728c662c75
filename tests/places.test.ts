import { request } from 'node:http';
import { formLogin, type RedisServer, startRedis, waitFor } from '@sandman/testing';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { API_KEY, OPERATOR, TestStack } from './stack.ts';

/** As many event streams as an API serves at once, and pages as the dashboard shows to one login. */
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

/** Asks for something, and has the status once it is known, and what ends it. */
function ask(url: string, headers: Record<string, string>, method = 'GET') {
  const call = request(url, { method, headers, agent: false });
  const status = new Promise<number>((resolve) => {
    call.on('response', (answer) => {
      answer.on('error', () => {}).resume();
      resolve(answer.statusCode!);
    });
    call.on('error', () => resolve(0));
  });
  call.end();
  return { status, hangUp: () => call.destroy() };
}

const stream = () => ask(`${stack.apiUrls[0]}/v1/events`, { 'x-api-key': API_KEY });

/** Asks as often at once as there are places three times, and counts the statuses. */
async function crowd(open: () => ReturnType<typeof ask>, places: number) {
  const calls = Array.from({ length: 3 * places }, open);
  const statuses = await Promise.all(calls.map(({ status }) => status));
  for (const { hangUp } of calls) hangUp();
  return Object.groupBy(statuses, String);
}

it('event streams: no more than there are places, however many come at once and however early they leave', async () => {
  const early = Array.from({ length: 400 }, stream);
  for (const [index, { hangUp }] of early.entries()) setTimeout(hangUp, index % 20);
  await Promise.all(early.map(({ status }) => status));
  await waitFor('all places are free again', async () => {
    const { 200: taken, 503: refused } = await crowd(stream, STREAMS);
    expect((taken?.length ?? 0) + (refused?.length ?? 0)).toBe(3 * STREAMS);
    expect(taken?.length ?? 0).toBeLessThanOrEqual(STREAMS);
    return taken?.length === STREAMS;
  });
});

it('pages of a login: no more than there are places, however early they are left', async () => {
  const { headers } = await formLogin(dashboard, OPERATOR.user, OPERATOR.password);
  const page = () => ask(`${dashboard}/api/live`, headers as Record<string, string>);
  const early = Array.from({ length: 100 }, page);
  for (const [index, { hangUp }] of early.entries()) setTimeout(hangUp, index % 10);
  await Promise.all(early.map(({ status }) => status));
  await waitFor('all places are free again', async () => {
    const { 200: taken, 429: refused } = await crowd(page, PAGES);
    expect((taken?.length ?? 0) + (refused?.length ?? 0)).toBe(3 * PAGES);
    expect(taken?.length ?? 0).toBeLessThanOrEqual(PAGES);
    return taken?.length === PAGES;
  });
});

it('callers who waited for a wake and hung up cost Redis nothing', async () => {
  const { uuid } = await stack.create('ada');
  await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
  await stack.until(uuid, 'sleeping');
  await stack.fault({ call: 'wake', fault: { hang: true } });
  /** All commands so far, those that scripts ran among them. */
  const commands = async () =>
    [...(await redis.info('commandstats')).matchAll(/calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0);
  /** Commands within a second. */
  const inASecond = async () => {
    const before = await commands();
    const from = performance.now();
    await waitFor('a second passes', () => performance.now() > from + 1_000);
    return (await commands()) - before;
  };
  const idle = await inASecond();
  const waits = Array.from({ length: 300 }, () =>
    ask(`${stack.apiUrls[0]}/v1/sessions/${uuid}/wake?wait=120s`, { 'x-api-key': API_KEY }, 'POST'),
  );
  await waitFor('they wait', async () => (await inASecond()) > idle + 500);
  // Each is active, once a second, and they share what is read. If each read for itself, there would be 18,000.
  expect(await inASecond()).toBeLessThan(6_000);
  for (const { hangUp } of waits) hangUp();
  await waitFor('it is as before', async () => (await inASecond()) < 2 * idle + 100);
});

import { type RedisServer, startRedis, waitFor } from '@sandman/sandbox';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestStack } from './stack.ts';

const LIMIT = 5;
const OURS = 'test-api-key-0123456789';
const THEIRS = 'another-api-key-0123456789';

let server: RedisServer;
let redis: Redis;
let stack: TestStack;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url, { maxRetriesPerRequest: null });
  redis.on('error', () => {});
  stack = await new TestStack(server.url, { RATE_LIMIT: `${LIMIT}`, API_KEYS: `${OURS},${THEIRS}` }).start({ apis: 2, workers: 0 });
});

afterAll(async () => {
  await stack?.stop();
  redis?.disconnect();
  await server?.stop();
});

interface Refused {
  readonly status: number;
  readonly code: string;
}
/** Calls each API in turn. */
const ask = (key = OURS) => stack.call<Refused>('GET', '/v1/policies', undefined, { 'x-api-key': key });
const counters = () => redis.keys('*:rate:*');

// First, while no key has an open window.
it('a wrong key has no limit', async () => {
  const wrong = await Promise.all(Array.from({ length: 4 * LIMIT }, () => ask('a-wrong-key-0123456789')));
  expect(new Set(wrong.map(({ status }) => status))).toEqual(new Set([401]));
  expect(await counters()).toEqual([]);
});

it('two APIs take as many requests a second of one key as the limit says, and no more', async () => {
  const begun = performance.now();
  const answers = await Promise.all(Array.from({ length: 10 * LIMIT }, () => ask()));
  const windows = 1 + Math.ceil((performance.now() - begun) / 1_000);
  const taken = answers.filter(({ status }) => status === 200);
  expect(taken.length).toBeGreaterThanOrEqual(LIMIT);
  expect(taken.length).toBeLessThanOrEqual(windows * LIMIT);

  const refused = answers.filter(({ status }) => status !== 200);
  expect(refused.length).toBeGreaterThan(0);
  for (const { status, body, headers } of refused) {
    expect({ status, body }).toMatchObject({ status: 429, body: { status: 429, code: 'rate-limited' } });
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
  }
  await waitFor('calls are taken again', async () => (await ask()).status === 200);
});

it('another key has a limit of its own, and Redis knows neither', async () => {
  await Promise.all(Array.from({ length: 4 * LIMIT }, () => ask()));
  expect((await ask(THEIRS)).status).toBe(200);
  const names = await waitFor('a window is open', async () => {
    await ask();
    const open = await counters();
    return open.length > 0 ? open : null;
  });
  for (const name of names) expect(name).toMatch(new RegExp(`^\\{${stack.prefix}:rate:[A-Za-z0-9_-]{43}\\}$`));
});

it('probes are not counted', async () => {
  const probes = await Promise.all(Array.from({ length: 4 * LIMIT }, () => fetch(`${stack.apiUrls[0]}/healthz`)));
  expect(new Set(probes.map(({ status }) => status))).toEqual(new Set([200]));
});

it('while Redis is away, calls are answered as ever: not ready', async () => {
  await server.kill();
  const answer = await waitFor('Redis is missed', async () => {
    const got = await ask();
    return got.status === 200 || got.status === 429 ? null : got;
  });
  expect(answer).toMatchObject({ status: 503, body: { code: 'not-ready' } });
  expect(answer.headers.get('retry-after')).toBe('1');
});

import { once } from 'node:events';
import { request } from 'node:http';
import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { API_KEY, type SessionBody, TestStack } from '../stack.ts';

/** How late the end of the cap may be noticed on a busy machine, in ms. */
const LATE_MS = 10_000;

let redis: FoundRedis;
let stack: TestStack;

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url).start({});
});

afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
});

/** Starts a chat whose answer never ends (a chunk every 100 ms), and closes the connection after the first chunk. */
async function hangUp(uuid: string): Promise<void> {
  const chat = request(`${stack.apiUrls[0]}/v1/sessions/${uuid}/chat`, {
    method: 'POST',
    headers: { 'x-api-key': API_KEY, 'content-type': 'application/json' },
  });
  chat.end(JSON.stringify({ message: { stream: { chunks: 100_000, intervalMs: 100 } } }));
  const [answer] = await once(chat, 'response');
  await once(answer, 'data');
  chat.on('error', () => {}).destroy();
}

const show = async (uuid: string) => (await stack.call<SessionBody>('GET', `/v1/sessions/${uuid}`)).body;
/** Returns when the chat ended at the session-manager, in ms since the epoch, or 0 if it has not. */
const chatOver = async (uuid: string) => ((await stack.calls(uuid, 'chat')) as unknown as { lostAt: number }[])[0]?.lostAt ?? 0;

describe.concurrent('an answer that never ends, whose caller hung up', { timeout: 150_000 }, () => {
  it('is background activity: it is read until the cap, and the session sleeps then', async ({ expect }) => {
    const { uuid } = await stack.create('ada', { sleepAfter: '8s', deleteAfter: '1h', backgroundCap: '24s' });
    await hangUp(uuid);
    const { lastActivity } = await show(uuid);
    const from = Date.parse(lastActivity);
    await waitFor('reading goes on past the idle time', () => Date.now() > from + 12_000);
    expect(await show(uuid)).toMatchObject({ status: 'active' });
    expect(await chatOver(uuid)).toBe(0);
    // The caller's own activity ended with the call, or a moment later.
    expect(Date.parse((await show(uuid)).lastActivity) - from).toBeLessThan(8_000);
    await stack.until(uuid, 'sleeping', 60_000);
    const [sleep] = await stack.calls(uuid, 'sleep');
    const { lastActivity: last } = await show(uuid);
    expect(sleep!.at - Date.parse(last)).toBeGreaterThanOrEqual(23_950);
    expect(sleep!.at - Date.parse(last)).toBeLessThan(24_000 + LATE_MS);
    await waitFor('reading ends', async () => (await chatOver(uuid)) > 0);
    expect((await chatOver(uuid)) - Date.parse(last)).toBeLessThan(24_000 + LATE_MS);
  });

  it('goes on for as long as its user is there in another way', async ({ expect }) => {
    const { uuid } = await stack.create('bob', { sleepAfter: '7s', deleteAfter: '1h', backgroundCap: '8s' });
    await hangUp(uuid);
    const from = Date.now();
    await waitFor('12 s of pings', async () => {
      await stack.ping(uuid);
      return Date.now() > from + 12_000;
    });
    expect(await chatOver(uuid)).toBe(0);
    await waitFor('reading ends', async () => (await chatOver(uuid)) > 0, 60_000);
  });
});

import { PolicySet } from '@sandman/core';
import { SessionService, unchanging } from '@sandman/lifecycle';
import { AlarmQueues } from '@sandman/queue';
import { system } from '@sandman/runtime';
import { type FoundRedis, lacks, redisForTests, waitFor } from '@sandman/sandbox';
import { RedisSessionStore } from '@sandman/store';
import { Redis } from 'ioredis';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPERATOR, TestStack } from '../../stack.ts';
import { logIn, missingChromium, openBrowser, openPage } from './chromium.ts';

const SESSIONS = 100_000;
const AT_ONCE = 500;
const LOADS = 5;
/** The most bytes that a load may transfer: the page, its scripts and 50 sessions. A list of all would be some 50 MB. */
const MOST_BYTES = 250_000;

/** Records when the list and the totals are painted, in ms since the page was requested, by the browser's own clock. */
const NOTE_WHEN_SHOWN = `addEventListener('DOMContentLoaded', () => {
  new MutationObserver((_, observer) => {
    if (document.querySelectorAll('.sessions tbody tr').length < 50 || !document.querySelector('.tile.active')) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => { globalThis.shownAt = performance.now(); }));
  }).observe(document, { childList: true, subtree: true });
})`;

/** Policies of the sessions in turn. Most sessions need no alarms, which take most of the time that a session takes to create. */
const POLICIES = ['balanced', 'conservative', ...Array.from({ length: 18 }, () => ({ sleepAfter: 'never', deleteAfter: 'never' }))];

/** Creates the sessions, a third of them asleep, each with the alarms that it needs. */
async function seed(url: string, prefix: string): Promise<void> {
  const redis = new Redis(url, { enableAutoPipelining: true, maxRetriesPerRequest: null });
  const store = new RedisSessionStore(redis, { prefix, shards: 1, slack: 1 });
  const alarms = new AlarmQueues(redis, prefix, 1, () => {});
  const policies = new PolicySet();
  const unarmed = (error: unknown) => {
    throw error;
  };
  const service = new SessionService({ store, alarms, policies: unchanging(policies.default), system, unarmed });
  const begin = async (i: number) => {
    const uuid = `s${String(i).padStart(6, '0')}`;
    const policy = policies.resolve(POLICIES[i % POLICIES.length]);
    const { record } = await service.track(uuid, { userId: `user-${String(i % 20_000).padStart(5, '0')}`, workspaceUrl: '', policy });
    const asleep = { wanted: 'asleep', pod: 'asleep', cause: 'idle', sleptAt: record.createdAt } as const;
    if (i % 3 === 0) await store.commit(uuid, record, { patch: asleep, alarms: false });
  };
  for (let i = 0; i < SESSIONS; i += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, k) => begin(i + k)));
    if ((i + AT_ONCE) % 20_000 === 0) console.log(`${i + AT_ONCE} of ${SESSIONS} sessions are there`);
  }
  await alarms.close();
  redis.disconnect();
}

describe.skipIf(lacks('chromium', missingChromium))('with 100,000 sessions', () => {
  let redis: FoundRedis;
  let stack: TestStack;
  let base: string;
  let browser: Browser;

  beforeAll(async () => {
    redis = await redisForTests();
    stack = new TestStack(redis.url);
    await seed(redis.url, stack.prefix);
    await stack.start({});
    base = (await stack.addDashboard()).url;
    browser = await openBrowser();
  }, 900_000);

  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
    await redis?.stop();
  });

  it('the page shows the totals and one page of the list, and is sent no more than that', async () => {
    const times: number[] = [];
    for (let i = 0; i < LOADS; i++) {
      const { page, close } = await openPage(browser);
      await page.addInitScript(NOTE_WHEN_SHOWN);
      let bytes = 0;
      const session = await page.context().newCDPSession(page);
      await session.send('Network.enable');
      session.on('Network.dataReceived', ({ dataLength }) => {
        bytes += dataLength;
      });
      // A first visit: nothing of the page is in a cache.
      await logIn(page, base, OPERATOR);
      // Polled from outside, because the page's security policy forbids a polling script inside it.
      times.push(await waitFor('list and totals are painted', () => page.evaluate<number | undefined>('globalThis.shownAt')));
      await page.getByRole('row').filter({ hasText: 's080009' }).waitFor();
      await page.getByRole('button', { name: '66,666 active' }).waitFor();
      await page.getByRole('button', { name: '33,334 sleeping' }).waitFor();
      expect(await page.locator('.sessions tbody tr').count()).toBe(50);
      expect(bytes).toBeGreaterThan(10_000);
      expect(bytes).toBeLessThan(MOST_BYTES);
      await close();
    }
    const [least, median, most] = [0, LOADS >> 1, LOADS - 1].map((i) => Math.round(times.toSorted((a, b) => a - b)[i]!));
    console.log(`${LOADS} loads with ${SESSIONS} sessions: median ${median} ms (${least} to ${most})`);
  }, 300_000);

  it('pages, filters and finds as fast as ever, and Bull Board shows its jobs', async () => {
    const { page, close } = await openPage(browser);
    await logIn(page, base, OPERATOR);
    const row = (uuid: string) => page.getByRole('row').filter({ has: page.getByRole('button', { name: uuid }) });
    await row('s000000').waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await row('s080019').waitFor();
    await page.getByRole('button', { name: 'Previous' }).click();
    await row('s000000').waitFor();
    await page.getByLabel('User or session').fill('user-19999');
    await page.keyboard.press('Enter');
    await row('s099999').waitFor();
    expect(await page.locator('.sessions tbody tr').count()).toBe(5);
    await page.getByLabel('Status').selectOption('sleeping');
    await row('s019999').waitFor({ state: 'detached' });
    await row('s099999').waitFor();
    await page.goto(`${base}/queues/queue/delete?status=delayed`);
    await page
      .getByText(/delete-s\d{6}-\d+/)
      .first()
      .waitFor();
    await close();
  }, 180_000);
});

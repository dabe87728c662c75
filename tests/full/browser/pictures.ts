import { mkdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { redisForTests, runCommand, waitFor } from '@sandman/sandbox';
import { OPERATOR, TestStack } from '../../stack.ts';
import { logIn, missingChromium, openBrowser, openPage } from './chromium.ts';

const HELP = `Takes the README's pictures of the operators' page anew: six minutes of simulated users on real processes.

  npm run pictures

It needs Chromium, and writes docs/images/*.png.`;

const IMAGES = fileURLToPath(new URL('../../../docs/images/', import.meta.url));
const USERS = 60;
/** How long the users are active before the pictures are taken, in ms. */
const LIVE_MS = 360_000;
const PING_MS = 5_000;

const POLICIES = JSON.stringify({
  quick: { sleepAfter: '30s', deleteAfter: '3m' },
  patient: { sleepAfter: '90s', deleteAfter: '1h' },
});

const between = (least: number, most: number) => least + Math.random() * (most - least);

/** Simulates a user who arrives, types for a while, leaves, and mostly returns. */
async function user(stack: TestStack, name: string, end: AbortSignal): Promise<void> {
  const rest = (ms: number) => pause(ms, undefined, { signal: end });
  try {
    await rest(between(0, 60_000));
    for (;;) {
      const { uuid } = await stack.create(name, Math.random() < 0.5 ? 'quick' : 'patient');
      for (let alive = true; alive; ) {
        for (let left = between(10_000, 60_000); left > 0 && alive; left -= PING_MS) {
          alive = (await stack.call('POST', `/v1/sessions/${uuid}/activity`)).status === 202;
          await rest(PING_MS);
        }
        await rest(between(20_000, 240_000));
      }
    }
  } catch (error) {
    if (!end.aborted) throw error;
  }
}

/** `npm run pictures`: takes the README's pictures of the page after six minutes of simulated users on real processes. */
await runCommand(async (args) => {
  if (parseArgs({ args, options: { help: { type: 'boolean' } } }).values.help) {
    console.log(HELP);
    return 0;
  }
  if (missingChromium) throw new Error(`no Chromium here: ${missingChromium}`);
  mkdirSync(IMAGES, { recursive: true });
  const redis = await redisForTests();
  const stack = await new TestStack(redis.url, { POLICIES, POD_PRICE_PER_HOUR: '0.12' }).start({ apis: 2, workers: 2 });
  const { url } = await stack.addDashboard();
  const browser = await openBrowser();
  const end = new AbortController();
  try {
    const users = Array.from({ length: USERS }, (_, i) => user(stack, `user-${i + 1}@example.com`, end.signal));
    const failed = Promise.all(users).then(() => {});
    for (let minute = 0; minute < LIVE_MS; minute += 60_000) {
      console.log(`${minute / 60_000} of ${LIVE_MS / 60_000} minutes`);
      await Promise.race([pause(60_000), failed]);
    }
    const wide = await openPage(browser, { viewport: { width: 1360, height: 980 } });
    const phone = await openPage(browser, { viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
    const shoot = ({ page }: typeof wide, name: string) => page.screenshot({ path: `${IMAGES}${name}.png` });
    for (const { page } of [wide, phone]) {
      await logIn(page, url, OPERATOR);
      await page.locator('.uplot').nth(1).waitFor();
    }
    await shoot(wide, 'sessions');
    await shoot(phone, 'phone');
    await wide.page.locator('.sessions tbody tr.sleeping button.link').first().click();
    await wide.page.locator('.history li').nth(2).waitFor();
    await shoot(wide, 'session');
    await wide.page.keyboard.press('Escape');
    for (const worker of stack.workers) worker.kill('SIGKILL');
    await waitFor('that is told', () => wide.page.getByText('No worker is alive').isVisible(), 30_000);
    await shoot(wide, 'trouble');
    console.log(`The pictures are in ${IMAGES}`);
    return 0;
  } finally {
    end.abort();
    await browser.close();
    await stack.stop();
    await redis.stop();
  }
});

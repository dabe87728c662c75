import { type FoundRedis, lacks, redisForTests, waitFor } from '@sandman/sandbox';
import axe, { type AxeResults } from 'axe-core';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { OPERATOR, type SessionBody, TestStack, VIEWER } from '../../stack.ts';
import { logIn, missingChromium, openBrowser, openPage, type WatchedPage } from './chromium.ts';

/** Parses a countdown `m:ss`. Returns seconds. */
function seconds(text: string | null): number {
  const [, minutes, rest] = /^(\d+):(\d\d)/.exec(text?.trim() ?? '') ?? [];
  return Number(minutes) * 60 + Number(rest);
}

/** Lists elements that reach beyond the right edge, if the page can be scrolled sideways. */
const WIDER_THAN_THE_WINDOW = `(() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  return [...document.body.querySelectorAll('*')]
    .filter((element) => element.getBoundingClientRect().right > clientWidth)
    .map((element) => element.outerHTML.slice(0, 100));
})()`;

/** Lists open dialogs whose content does not fit. */
const WIDER_THAN_THE_DIALOG = `[...document.querySelectorAll('dialog[open]')]
  .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
  .map((dialog) => dialog.id)`;

/** Lists buttons of the list of sessions whose text is broken into several lines. */
const BROKEN_BUTTONS = `[...document.querySelectorAll('.sessions tbody button')]
  .filter((button) => button.getBoundingClientRect().height > 40)
  .map(({ textContent }) => textContent)`;

/** Presses a session's second button, and the button that replaces it. Runs in the page, because a press from outside is too late. */
const pressTwice = ({ uuid }: SessionBody) => `new Promise((resolve) => {
  const row = [...document.querySelectorAll('.sessions tbody tr')].find(({ textContent }) => textContent.includes('${uuid}'));
  const second = () => row.querySelectorAll('.buttons button')[1];
  new MutationObserver((_, observer) => {
    if (second().textContent !== 'Release') return;
    observer.disconnect();
    second().click();
    resolve();
  }).observe(row, { childList: true, subtree: true, characterData: true });
  second().click();
})`;

/** Runs axe, an accessibility checker, and returns its violations. */
async function faults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<AxeResults>('axe.run()');
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
}

// Each test opens a page and waits for a dozen steps in it.
describe.skipIf(lacks('chromium', missingChromium))('the operators’ page', { timeout: 120_000 }, () => {
  let redis: FoundRedis;
  let stack: TestStack;
  let dashboard: Awaited<ReturnType<TestStack['addDashboard']>>;
  let base: string;
  let browser: Browser;
  const open: WatchedPage[] = [];

  beforeAll(async () => {
    redis = await redisForTests();
    stack = await new TestStack(redis.url, { POD_PRICE_PER_HOUR: '0.12' }).start({});
    dashboard = await stack.addDashboard();
    base = dashboard.url;
    browser = await openBrowser();
  });

  afterEach(async () => {
    for (const { requestedUrls, errors, close } of open.splice(0)) {
      await close();
      expect(requestedUrls.filter((url) => !url.startsWith(`${base}/`) && !url.startsWith('data:'))).toEqual([]);
      expect(errors).toEqual([]);
    }
  });

  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
    await redis?.stop();
  });

  const logins = new Map<string, Awaited<ReturnType<BrowserContext['cookies']>>>();

  /** Opens a page for a logged-in account. Logs in once per account, because ten logins a minute are the limit. */
  async function enter(account = OPERATOR, options = {}): Promise<Page> {
    const watched = await openPage(browser, options);
    open.push(watched);
    const { page } = watched;
    const context = page.context();
    const known = logins.get(account.user);
    if (known) await context.addCookies(known);
    await (known ? page.goto(base) : logIn(page, base, account));
    await page.getByRole('heading', { name: 'Sessions' }).waitFor();
    logins.set(account.user, known ?? (await context.cookies()));
    return page;
  }

  const rowOf = (page: Page, { uuid }: SessionBody) => page.getByRole('row').filter({ has: page.getByRole('button', { name: uuid }) });
  const cell = (row: Locator, label: string) => row.locator(`[data-label="${label}"]`);

  /** Returns what the dashboard logged of the changes of a session. */
  const loggedOf = ({ uuid }: SessionBody) =>
    dashboard
      .stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ session }) => session === uuid)
      .map(({ action, by, grace, force }) => ({ action, by, grace, force }));

  it('a session counts down, falls asleep while one looks, is woken by a button, and says why all of that was', async () => {
    const session = await stack.create('ada', { sleepAfter: '10m', deleteAfter: '50m' });
    const page = await enter();
    const row = rowOf(page, session);
    await row.getByText('active').waitFor();
    const before = seconds(await cell(row, 'Sleeps in').textContent());
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThanOrEqual(600);
    await waitFor('it counts down', async () => seconds(await cell(row, 'Sleeps in').textContent()) < before);
    await stack.call('PATCH', `/v1/sessions/${session.uuid}`, { policy: { sleepAfter: '1s', deleteAfter: '50m' } });
    await row.getByText('sleeping').waitFor();
    expect(await cell(row, 'Sleeps in').textContent()).toBe('–');
    expect(seconds(await cell(row, 'Deleted in').textContent())).toBeGreaterThan(2_900);

    // A long policy, so that it does not fall asleep again during the checks.
    await stack.call('PATCH', `/v1/sessions/${session.uuid}`, { policy: 'balanced' });
    await row.getByRole('button', { name: 'Wake' }).click();
    await page.getByText(`${session.uuid} is woken`).waitFor();
    await row.getByText('active').waitFor();
    expect(await stack.status(session.uuid)).toBe('active');

    await row.getByRole('button', { name: session.uuid }).click();
    const dialog = page.getByRole('dialog', { name: `Session ${session.uuid}` });
    const history = dialog.getByRole('listitem');
    await waitFor('its whole history', async () => (await history.count()) === 5);
    expect(
      (await history.allTextContents()).map(
        (text) =>
          text
            .replace(/\s+/g, ' ')
            .trim()
            .split(/: | ago/, 1)[0],
      ),
    ).toEqual(['active manual', 'waking manual', 'sleeping idle', 'falling-asleep idle', 'active created']);
    expect(await history.nth(2).textContent()).toContain('idle for as long as its policy allows');
    expect(page.url()).toBe(`${base}/?session=${session.uuid}`);
    await page.keyboard.press('Escape');
    await waitFor('the address says so', () => page.url() === `${base}/`);
    await dialog.waitFor({ state: 'hidden' });
  });

  it('sleep, hold, release and delete do what they say, and a delete asks once more', async () => {
    const session = await stack.create('grace', 'balanced');
    const page = await enter();
    const row = rowOf(page, session);
    await row.getByRole('button', { name: 'Sleep' }).click();
    await row.getByText('sleeping').waitFor();
    await row.getByRole('button', { name: 'Hold 1h' }).click();
    await row.getByText('active').waitFor();
    await waitFor('it is held', async () => (await cell(row, 'Held for').textContent())?.startsWith('59:'));
    await row.getByRole('button', { name: 'Release' }).click();
    await waitFor('it is not', async () => (await cell(row, 'Held for').textContent()) === '–');
    await row.getByRole('button', { name: session.uuid }).click();
    await page.getByRole('dialog').getByLabel('Hold').selectOption('4h');
    await page.keyboard.press('Escape');
    await waitFor('it is held for longer', async () => (await cell(row, 'Held for').textContent())?.startsWith('3 h 59'));

    await row.getByRole('button', { name: 'Delete' }).click();
    const question = page.getByRole('alertdialog');
    await question.getByRole('button', { name: 'Cancel' }).click();
    await question.waitFor({ state: 'hidden' });
    expect(await stack.status(session.uuid)).toBe('active');
    await row.getByRole('button', { name: 'Delete' }).click();
    await question.getByRole('button', { name: 'Delete' }).click();
    await row.waitFor({ state: 'detached' });
    await stack.until(session.uuid, 'deleted');
    const causes = (await stack.calls(session.uuid)).map(({ call }) => call);
    expect(causes).toEqual(['create', 'sleep', 'wake', 'delete']);
    // The cause of its deletion is still shown, for a day.
    await page.goto(`${base}/?session=${session.uuid}`);
    await page.getByRole('dialog').getByText('requested by hand or by the chat backend').first().waitFor();
  });

  it('a kept session is marked, and a delete of it says so before it is done', async () => {
    const session = await stack.create('keeper', 'balanced');
    const page = await enter();
    const row = rowOf(page, session);
    await row.getByRole('button', { name: 'Keep 7d' }).click();
    await page.getByText(`${session.uuid} is kept for 7d`).waitFor();
    const week = '(7 d 0|6 d 23) h';
    const deletedIn = async () => (await cell(row, 'Deleted in').textContent()) ?? '';
    await waitFor('it is kept', async () => new RegExp(`^\\s*${week} kept for ${week}\\s*$`).test(await deletedIn()));
    const { keepUntil } = (await stack.call<{ keepUntil: string }>('GET', `/v1/sessions/${session.uuid}`)).body;
    const shown = await page.evaluate<string>(
      `new Date('${keepUntil}').toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' })`,
    );
    expect(await row.getByText('kept', { exact: true }).getAttribute('title')).toBe(`until ${shown}`);
    await row.getByRole('button', { name: session.uuid }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(`Kept until ${shown}.`).waitFor();
    await dialog.getByRole('button', { name: 'End keep' }).click();
    await dialog.getByText('Kept until').waitFor({ state: 'detached' });
    await dialog.getByLabel('Keep', { exact: true }).selectOption('30d');
    await dialog.getByText('Kept until').waitFor();
    await page.keyboard.press('Escape');

    const question = page.getByRole('alertdialog');
    const pressDelete = async () => {
      await waitFor('its buttons rest no more', async () => (await row.locator('[aria-disabled=true]').count()) === 0);
      await row.getByRole('button', { name: 'Delete' }).click();
    };
    await pressDelete();
    await question.getByText('This session is kept until').waitFor();
    await question.getByRole('button', { name: 'Cancel' }).click();
    await question.waitFor({ state: 'hidden' });
    expect(await stack.status(session.uuid)).toBe('active');
    await pressDelete();
    await question.getByRole('button', { name: 'Delete although it is kept' }).click();
    await row.waitFor({ state: 'detached' });
    await stack.until(session.uuid, 'deleted');
    expect(loggedOf(session)).toEqual([
      { action: 'keep', by: 'olga' },
      { action: 'end-keep', by: 'olga' },
      { action: 'keep', by: 'olga' },
      { action: 'delete', by: 'olga', grace: 0, force: true },
    ]);
  });

  it('a delete with a grace counts down, and is taken back', async () => {
    const session = await stack.create('hesitant', 'balanced');
    const page = await enter();
    const row = rowOf(page, session);
    const question = page.getByRole('alertdialog');
    await row.getByRole('button', { name: 'Delete' }).click();
    await question.getByLabel('When').selectOption('1h');
    await question.getByRole('button', { name: 'Delete' }).click();
    await page.getByText(`${session.uuid} is put to sleep, and deleted in 1h unless its user comes back`).waitFor();
    await row.getByText('sleeping').waitFor();
    const left = () => cell(row, 'Deleted in').textContent();
    await waitFor('its grace runs', async () => /^\s*5\d:\d\d unless its user comes back\s*$/.test((await left()) ?? ''));
    const before = seconds(await left());
    await waitFor('it counts down', async () => seconds(await left()) < before);
    await row.getByRole('button', { name: session.uuid }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(/Deleted in 5\d:\d\d unless its user comes back\./).waitFor();
    await dialog.getByRole('button', { name: 'Take back' }).click();
    await page.getByText(`${session.uuid} is woken, and its delete is cancelled`).waitFor();
    await dialog.getByText('unless its user comes back').waitFor({ state: 'detached' });
    await page.keyboard.press('Escape');
    await row.getByText('active').waitFor();
    expect(await left()).toMatch(/^\s*1 d 0 h\s*$/);
    expect((await stack.calls(session.uuid)).map(({ call }) => call)).toEqual(['create', 'sleep', 'wake']);
    expect(loggedOf(session)).toEqual([
      { action: 'delete', by: 'olga', grace: 3_600_000, force: false },
      { action: 'wake', by: 'olga' },
    ]);
    // The next delete does not start with the grace of this one.
    await waitFor('its buttons rest no more', async () => (await row.locator('[aria-disabled=true]').count()) === 0);
    await row.getByRole('button', { name: 'Delete' }).click();
    expect(await question.getByLabel('When').inputValue()).toBe('');
    await question.getByRole('button', { name: 'Cancel' }).click();
  });

  it('says beside the policy of a session what its user finds after a weekend', async () => {
    const [short, long] = [
      await stack.create('friday', 'balanced'),
      await stack.create('month', { sleepAfter: '15m', deleteAfter: '30d' }),
    ];
    const page = await enter();
    await rowOf(page, short).getByRole('button', { name: short.uuid }).click();
    await page.getByRole('dialog').getByText('finds the pod deleted on Monday').waitFor();
    await page.goto(`${base}/?session=${long.uuid}`);
    await page.getByRole('dialog').getByText('finds the pod again on Monday').waitFor();
  });

  it('filters by status, user and session, and says so in its address', async () => {
    const [one, two] = [await stack.create('filter-a', 'balanced'), await stack.create('filter-b', 'balanced')];
    await stack.call('POST', `/v1/sessions/${two.uuid}/sleep`);
    await stack.until(two.uuid, 'sleeping');
    const page = await enter();
    await page.getByLabel('User or session').fill('filter-a');
    await page.getByRole('button', { name: 'Find' }).click();
    await rowOf(page, one).waitFor();
    await rowOf(page, two).waitFor({ state: 'detached' });
    expect(page.url()).toBe(`${base}/?find=filter-a`);
    await page.getByLabel('User or session').fill(two.uuid);
    await page.keyboard.press('Enter');
    await rowOf(page, two).waitFor();
    await page.getByLabel('Status').selectOption('active');
    await page.getByText('No sessions here.').waitFor();
    await page.goBack();
    await rowOf(page, two).waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await rowOf(page, one).waitFor();
    await page.getByLabel('Status').selectOption('active');
    await rowOf(page, two).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: /^\d+ sleeping$/ }).click();
    await rowOf(page, one).waitFor({ state: 'detached' });
    await rowOf(page, two).waitFor();
    expect(await page.getByLabel('Status').inputValue()).toBe('sleeping');
    await page.goBack();
    await rowOf(page, one).waitFor();
    expect(await page.getByLabel('Status').inputValue()).toBe('active');
    await page.getByLabel('User or session').fill('typed and not asked for');
    await page.getByRole('button', { name: 'Show all' }).click();
    await rowOf(page, two).waitFor();
    expect([await page.getByLabel('Status').inputValue(), await page.getByLabel('User or session').inputValue()]).toEqual(['', '']);
    // Invalid parameters in the address are ignored.
    await page.goto(`${base}/?status=bogus&session=${'x'.repeat(65)}&find=${'y'.repeat(256)}`);
    await rowOf(page, two).waitFor();
  });

  it('a press meets the session it was aimed at, and a second one does not undo the first', async () => {
    const session = await stack.create('aimed', 'balanced');
    const page = await enter();
    const row = rowOf(page, session);
    await row.getByRole('button', { name: 'Hold 1h' }).hover();
    const order = () => page.locator('.sessions tbody th').allTextContents();
    const before = await order();
    const added = await Promise.all(Array.from({ length: 12 }, () => stack.create('crowd', 'balanced')));
    await waitFor('they come last', async () => (await order()).length === before.length + added.length);
    expect((await order()).slice(0, before.length)).toEqual(before);
    // Both presses hit the same place, the second as soon as another button stands there.
    await page.evaluate(pressTwice(session));
    await waitFor('its buttons rest no more', async () => (await row.locator('[aria-disabled=true]').count()) === 0);
    expect(await cell(row, 'Held for').textContent()).toMatch(/^(59:|1 h 00)/);
    // Once the pointer leaves the list, it is sorted again.
    await page.getByRole('heading', { name: 'Sessions' }).hover();
    const { items } = (await stack.call<{ items: SessionBody[] }>('GET', '/v1/sessions')).body;
    await waitFor('sorted', async () => (await order()).join() === items.map(({ uuid }) => uuid).join());
  });

  it('another list shows nothing of the one before, though the pointer stands in it and frames are slow', async () => {
    const [stays, leaves] = await Promise.all([stack.create('chosen', 'balanced'), stack.create('left', 'balanced')]);
    const page = await enter();
    await rowOf(page, leaves).hover();
    await page.evaluate(`requestAnimationFrame = (frame) => setTimeout(frame, 500)`);
    // Navigates without the pointer, which must stay where it is.
    await page.evaluate(`history.replaceState(null, '', '/?find=chosen'); dispatchEvent(new PopStateEvent('popstate'));`);
    await rowOf(page, leaves).waitFor({ state: 'detached' });
    expect(await rowOf(page, stays).count()).toBe(1);
  });

  it('a page that nobody sees asks for nothing, and is up to date as soon as one looks', async () => {
    const page = await enter();
    const streams = () => open.at(-1)!.requestedUrls.filter((url) => url.includes('/api/live')).length;
    const see = (state: string) =>
      page.evaluate(`Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => '${state}' });
        document.dispatchEvent(new Event('visibilitychange'));`);
    await see('hidden');
    const before = streams();
    const session = await stack.create('unseen', 'balanced');
    expect(streams()).toBe(before);
    await see('visible');
    await rowOf(page, session).waitFor();
    // A page that stood still opens its stream once more.
    expect(streams()).toBeGreaterThan(before);
  });

  it('leads to a session’s jobs on Bull Board, and from a job back to its session', async () => {
    const session = await stack.create('boarder', 'conservative');
    const page = await enter();
    await rowOf(page, session).getByRole('button', { name: session.uuid }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(/sleep in (2\d|30):\d\d/).waitFor();
    await dialog.getByRole('link', { name: 'sleep' }).click();
    await page
      .getByText(new RegExp(`sleep-${session.uuid}-\\d+`))
      .first()
      .waitFor();
    await page.locator(`a[href="/?session=${session.uuid}"]`).first().waitFor();

    await page.goto(base);
    await page.getByRole('link', { name: 'Queues' }).click();
    await page.locator('a[href="/queues/queue/delete"]').first().click();
    await page.locator('a[href^="/queues/queue/delete?"][href*="delayed"]').first().click();
    await page
      .getByText(/delete-\w+-\d+/)
      .first()
      .waitFor();
  });

  it('a viewer sees everything and finds no button; a call by hand is refused', async () => {
    const session = await stack.create('watched', 'balanced');
    const leaving = await stack.create('watched-leaving', 'balanced');
    await stack.call('POST', `/v1/sessions/${session.uuid}/keep`, { for: '7d' });
    await stack.call('DELETE', `/v1/sessions/${leaving.uuid}?grace=1h`);
    const page = await enter(VIEWER);
    await rowOf(page, session).getByText('kept', { exact: true }).waitFor();
    await rowOf(page, leaving).getByText('unless its user comes back').waitFor();
    expect(await rowOf(page, leaving).getByRole('button').allTextContents()).toEqual([leaving.uuid]);
    const row = rowOf(page, session);
    await row.getByText('active').waitFor();
    await page.getByText('viktor (viewer)').waitFor();
    expect(await row.getByRole('button').allTextContents()).toEqual([session.uuid]);
    const refused = await page.evaluate(
      (uuid) =>
        Promise.all(
          [`/api/sessions/${uuid}/sleep`, '/queues/api/queues/sleep/obliterate'].map(async (path, i) => {
            const answer = await fetch(path, { method: i === 0 ? 'POST' : 'PUT' });
            return answer.status;
          }),
        ),
      session.uuid,
    );
    expect(refused).toEqual([403, 403]);
    expect(await stack.status(session.uuid)).toBe('active');
    // The browser itself logs the refused requests as errors, which may come after the answers.
    const { errors } = open.at(-1)!;
    await waitFor('both are logged', () => errors.length >= 2);
    errors.length = 0;
  });

  it('says when no worker is alive, and when the session-manager serves nobody, and when all is well again', async () => {
    const page = await enter();
    const pill = page.locator('header .pill');
    await pill.getByText('Healthy').waitFor();
    const [worker] = stack.workers.splice(0);
    worker!.kill('SIGKILL');
    await worker!.exited;
    await page.getByText('No worker is alive').waitFor();
    expect(await pill.textContent()).toBe('In trouble');

    await stack.addWorker();
    const failing = await Promise.all(Array.from({ length: 6 }, (_, i) => stack.create(`unlucky-${i}`, 'balanced')));
    const fault = await stack.fault({ fault: { status: 500 } });
    for (const { uuid } of failing) await stack.call('POST', `/v1/sessions/${uuid}/sleep`);
    await page.getByText(/for the session-manager since \d+ s: it fails/).waitFor();
    await rowOf(page, failing[0]!)
      .getByText(/failing ×/)
      .waitFor();
    await stack.sim('DELETE', `/sim/faults/${fault.id}`);
    await page.getByText(/for the session-manager since/).waitFor({ state: 'detached', timeout: 60_000 });
    await rowOf(page, failing[0]!).getByText('sleeping').waitFor({ timeout: 60_000 });
    // The dead worker is shown as a warning for an hour.
    await page.getByText(/went without a word/).waitFor();
  }, 240_000);

  it.each([
    ['light', { width: 1360, height: 900 }],
    ['dark', { width: 390, height: 844 }],
  ] as const)('is accessible in %s at %j, and no wider than its window', async (colorScheme, viewport) => {
    // A user id as long as allowed, with markup that must not run.
    const session = await stack.create(`<img src=x onerror=alert(1)>${'x'.repeat(227)}`, 'balanced');
    // A grace whose delete waits for the end of a keep shows all marks at once.
    await stack.call('DELETE', `/v1/sessions/${session.uuid}?grace=1h`);
    await stack.call('POST', `/v1/sessions/${session.uuid}/keep`, { for: '3650d' });
    await stack.until(session.uuid, 'sleeping');
    const page = await enter(OPERATOR, { colorScheme, viewport });
    await rowOf(page, session).getByText('kept', { exact: true }).waitFor();
    expect(await faults(page)).toEqual([]);
    expect(await page.evaluate(WIDER_THAN_THE_WINDOW)).toEqual([]);
    await rowOf(page, session).getByRole('button', { name: session.uuid }).click();
    await page.getByRole('dialog').getByText('it was created').waitFor();
    expect(await faults(page)).toEqual([]);
    expect(await page.evaluate(WIDER_THAN_THE_DIALOG)).toEqual([]);
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('alertdialog').getByText('This session is kept until').waitFor();
    expect(await faults(page)).toEqual([]);
    expect(await page.evaluate(WIDER_THAN_THE_DIALOG)).toEqual([]);
  });

  it('breaks no button and no uuid into pieces, however wide its window is', async () => {
    const session = await stack.create(`${'wide'.repeat(20)}@example.com`, 'conservative');
    await stack.call('DELETE', `/v1/sessions/${session.uuid}?grace=30d`);
    await stack.call('POST', `/v1/sessions/${session.uuid}/keep`, { for: '365d' });
    const page = await enter();
    await rowOf(page, session).getByText('kept', { exact: true }).waitFor();
    for (const width of [390, 761, 1000, 1270, 1271, 1360, 1600]) {
      await page.setViewportSize({ width, height: 900 });
      // The charts take their new width a frame later.
      await expect.poll(() => page.evaluate(WIDER_THAN_THE_WINDOW), { timeout: 20_000, message: `at ${width}` }).toEqual([]);
      expect(await page.evaluate(BROKEN_BUTTONS), `at ${width}`).toEqual([]);
    }
  });

  it('can be used with the keyboard alone', async () => {
    const session = await stack.create('typist', 'balanced');
    const page = await enter();
    await rowOf(page, session).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('typist');
    await page.keyboard.press('Enter');
    await waitFor('only this one', async () => (await page.locator('.sessions tbody tr').count()) === 1);
    const focused = () => page.evaluate<string>('document.activeElement.textContent.trim()');
    const tabTo = async (name: string) => {
      for (let i = 0; i < 20 && (await focused()) !== name; i++) await page.keyboard.press('Tab');
      expect(await focused()).toBe(name);
    };
    await tabTo(session.uuid);
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.getByText('it was created').waitFor();
    await tabTo('Sleep');
    await page.keyboard.press('Space');
    await dialog.getByText('sleeping').first().waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    // The focus returns to where it was.
    expect(await focused()).toBe(session.uuid);
  });

  it('goes on by itself after the dashboard was away, and asks for the login when that is over', async () => {
    const dashboard = await stack.addDashboard();
    const sameAddress = { DASHBOARD_PORT: new URL(dashboard.url).port };
    const { page, close } = await openPage(browser);
    try {
      await logIn(page, dashboard.url, OPERATOR);
      const pill = page.locator('header .pill');
      dashboard.kill('SIGKILL');
      await pill.getByText('No connection').waitFor();
      const again = await stack.addDashboard(sameAddress);
      await waitFor('it is live again', async () => (await pill.textContent()) !== 'No connection');
      again.kill('SIGKILL');
      await again.exited;
      await stack.addDashboard({ ...sameAddress, DASHBOARD_PASSWORD: 'changed' });
      await page.getByRole('button', { name: 'Log in' }).waitFor();
    } finally {
      await close();
    }
  }, 180_000);
});

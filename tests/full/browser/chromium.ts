import { existsSync } from 'node:fs';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { type Browser, chromium } from 'playwright-core';

/** Where Debian, Fedora, Arch and Google install Chromium; `CHROMIUM` overrides these. */
const CHROMIUM_PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

const found = [process.env.CHROMIUM ?? '', ...CHROMIUM_PATHS].find((path) => path !== '' && existsSync(path));

/** What to install if there is no browser, else null. */
export const missingChromium = found ? null : "install Debian's chromium package, or set CHROMIUM to a Chromium";

/** Flags that stop the browser's own network traffic, so that only the page's is seen. */
const QUIET_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: found!, args: QUIET_FLAGS, timeout: 90_000 });
}

/** A page in a browser context of its own, with the requests and errors that it has made so far. */
export interface WatchedPage {
  readonly page: Page;
  /** Every address that the page requested. */
  readonly requestedUrls: string[];
  /** Errors of its scripts, and errors in its console. */
  readonly errors: string[];
  close(): Promise<void>;
}

export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', ...options });
  const page = await context.newPage();
  const requestedUrls: string[] = [];
  const errors: string[] = [];
  page.on('request', (request) => requestedUrls.push(request.url()));
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') errors.push(message.text());
  });
  return { page, requestedUrls, errors, close: () => context.close() };
}

export async function logIn(page: Page, base: string, { user, password }: { user: string; password: string }): Promise<void> {
  await page.goto(base);
  await page.getByLabel('User').fill(user);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'Sessions' }).waitFor();
}

import { existsSync } from 'node:fs';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { type Browser, chromium } from 'playwright-core';

/** Where Debian, Fedora, Arch and Google put it; `CHROMIUM` says where it is elsewhere. */
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

const found = [process.env.CHROMIUM ?? '', ...PLACES].find((path) => path !== '' && existsSync(path));

/** What to install where there is no browser; null where there is one. */
export const missingChromium = found ? null : "install Debian's chromium package, or set CHROMIUM to a Chromium";

/** Nothing of its own goes over the network, so that what does is the page's. */
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: found!, args: QUIET });
}

/** A page in a context of its own, and what it asked for and complained of so far. */
export interface WatchedPage {
  readonly page: Page;
  /** Every address asked for. */
  readonly asked: string[];
  /** Errors of its scripts, and what its console calls errors. */
  readonly complaints: string[];
  close(): Promise<void>;
}

export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', ...options });
  const page = await context.newPage();
  const asked: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  return { page, asked, complaints, close: () => context.close() };
}

export async function logIn(page: Page, base: string, { user, password }: { user: string; password: string }): Promise<void> {
  await page.goto(base);
  await page.getByLabel('User').fill(user);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'Sessions' }).waitFor();
}

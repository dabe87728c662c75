import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { lacks, waitFor } from '@sandman/sandbox';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingChromium, openBrowser, openPage } from './chromium.ts';

const source = stripTypeScriptTypes(readFileSync(new URL(import.meta.resolve('@sandman/client/browser')), 'utf8'));
const page = `<!doctype html><title>A chat</title><script type="module">
  import { onLeave } from '/browser.js';
  onLeave('/chat/leave', () => ({ uuid: 'one', messages: 3 }));
  onLeave('/chat/never')();
  document.title = 'ready';
</script>`;

describe.skipIf(lacks('chromium', missingChromium))('a page that is left', () => {
  const told: { url: string; type: string | undefined; body: string }[] = [];
  let server: Server;
  let browser: Browser;
  let base: string;

  beforeAll(async () => {
    server = createServer(async (request, answer) => {
      const { url = '', method, headers } = request;
      if (method === 'POST') {
        let body = '';
        for await (const chunk of request) body += chunk;
        told.push({ url, type: headers['content-type'], body });
      }
      const script = url === '/browser.js';
      answer.setHeader('content-type', script ? 'text/javascript' : 'text/html').end(script ? source : page);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await openBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
  });

  it.each([
    ['for another', (goto: (url: string) => Promise<unknown>) => goto('about:blank')],
    ['by closing it', (_: unknown, close: () => Promise<unknown>) => close()],
  ])('%s tells the chat service', async (_, leave) => {
    told.length = 0;
    const opened = await openPage(browser);
    await opened.page.goto(base);
    await waitFor('it is ready', async () => (await opened.page.title()) === 'ready');
    expect(told).toEqual([]);
    await leave(
      (url) => opened.page.goto(url),
      () => opened.page.close({ runBeforeUnload: true }),
    );
    await waitFor('the chat service heard of it', () => told.length > 0);
    expect(told).toEqual([{ url: '/chat/leave', type: 'application/json', body: '{"uuid":"one","messages":3}' }]);
    await opened.close();
  });
});

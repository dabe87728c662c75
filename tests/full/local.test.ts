import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startEntry, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sandman-local-full-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Starts `npm start` (`main`) or `npm run demo` in a folder where an embedded Redis may keep its data. */
const start = (name: 'main' | 'demo', env: Record<string, string> = {}) =>
  startEntry(new URL(`../../apps/local/src/${name}.ts`, import.meta.url), env, folder);

describe('npm start', () => {
  it('hands each variable to the processes that read it, calls a session-manager that is there, and shows no secret', async () => {
    const keys: unknown[] = [];
    const sessionManager = createServer((request, answer) => {
      keys.push(request.headers['x-api-key']);
      answer.end('{"uuid": "made", "workspace_url": ""}');
    }).listen(0, '127.0.0.1');
    await once(sessionManager, 'listening');
    const [api, dashboard, worker] = await Promise.all([freePort(), freePort(), freePort()]);
    const secrets = {
      API_KEYS: 'a-key-of-their-own-1,another-key-entirely',
      SESSION_MANAGER_API_KEY: 'their-own',
      DASHBOARD_PASSWORD: 'their-password',
    };
    const { kill, exited, stdout } = start('main', {
      ...secrets,
      HOST: '::',
      PORT: `${api}`,
      DASHBOARD_PORT: `${dashboard}`,
      METRICS_PORT: `${worker}`,
      DASHBOARD_USER: 'olga',
      SESSION_MANAGER_URL: `http://127.0.0.1:${(sessionManager.address() as { port: number }).port}`,
      POLICIES: '{"long": {"sleepAfter": "1h", "deleteAfter": "1d"}}',
      DEFAULT_POLICY: 'long',
      KEEP_ALIVE_TIMEOUT: '7s',
    });
    try {
      await waitFor('it is up', () => stdout().includes('Ctrl-C ends all of it.'), 90_000);
      expect(stdout()).toContain(`http://127.0.0.1:${dashboard}   (olga / the one of DASHBOARD_PASSWORD)`);
      expect(stdout()).toContain('the one of SESSION_MANAGER_URL');
      for (const secret of Object.values(secrets)) expect(stdout()).not.toContain(secret);
      const headers = { 'x-api-key': 'another-key-entirely', 'content-type': 'application/json' };
      const made = await fetch(`http://127.0.0.1:${api}/v1/sessions`, { method: 'POST', headers, body: '{"userId": "ada"}' });
      expect(made.headers.get('keep-alive')).toBe('timeout=7');
      expect(await made.json()).toMatchObject({ uuid: 'made', policy: { name: 'long' } });
      expect(keys[0]).toBe('their-own');
      expect((await fetch(`http://127.0.0.1:${worker}/readyz`)).status).toBe(200);
    } finally {
      kill('SIGINT');
      await exited;
      sessionManager.close();
    }
  }, 150_000);
});

describe('npm run demo', () => {
  it('shows users whose pods fall asleep, wake and are deleted, and ends with 0', async () => {
    const { exited, stdout, stderr } = start('demo');
    expect(await exited, stdout() + stderr()).toBe(0);
    expect(stdout()).toMatch(/^All of it happened\.$/m);
    expect(stdout()).toMatch(/^ {2}✓ /m);
    expect(stdout()).not.toContain('✗');
  }, 150_000);
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEntry, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sandman-local-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Starts `npm start` (`main`) or `npm run demo` in a folder where an embedded Redis may keep its data. */
const start = (name: 'main' | 'demo', env: Record<string, string> = {}) =>
  startEntry(new URL(`../apps/local/src/${name}.ts`, import.meta.url), env, folder);

describe('npm start', () => {
  it('runs everything on a Redis of its own, says where it is, and Ctrl-C ends all of it', async () => {
    const { kill, exited, stdout } = start('main');
    await waitFor('it is up', () => stdout().includes('Ctrl-C ends all of it.'), 30_000);
    const shown = (what: string) => new RegExp(`^  ${what} +(\\S+)`, 'm').exec(stdout())?.[1] ?? '';
    expect(shown('Redis')).toBe('a');
    expect(stdout()).toContain('data in .data');
    const answer = await fetch(`${shown('API')}/v1/policies`, { headers: { 'x-api-key': shown('key') } });
    expect(await answer.json()).toMatchObject({ default: 'balanced' });
    const addresses = ['API', 'dashboard', 'chat backend', 'session-manager'].map(shown);
    for (const address of addresses) expect((await fetch(`${address}/healthz`)).status, address).toBe(200);
    kill('SIGINT');
    expect(await exited).toBe(0);
    for (const address of addresses) await expect(fetch(address), address).rejects.toThrow();
  }, 60_000);

  it('ends with 1 and says which process could not run', async () => {
    const { exited, stderr } = start('main', { REDIS_URL: 'not-a-redis' });
    expect(await exited).toBe(1);
    expect(stderr()).toMatch(/^(api|worker|dashboard): REDIS_URL is malformed: it must be /m);
    expect(stderr()).toMatch(/^sandman: the .* process ended by itself, with code 2$/m);
  }, 60_000);
});

describe('npm run demo', () => {
  it('ends with 1 where a process cannot run', async () => {
    const { exited, stderr } = start('demo', { REDIS_URL: 'not-a-redis' });
    expect(await exited).toBe(1);
    expect(stderr()).toMatch(/^demo: the .* process ended by itself, with code 2$/m);
  }, 60_000);
});

import { readFileSync } from 'node:fs';
import { runScript } from '@sandman/sandbox';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { namesReadBy } from '../packages/runtime/src/env.ts';
import { BEGIN, withTable } from '../scripts/settings/table.ts';

const SCRIPT = new URL('../scripts/settings.ts', import.meta.url);
const page = readFileSync(new URL('../docs/settings.md', import.meta.url), 'utf8');

it('docs/settings.md has the table that `npm run docs:settings` writes', () => {
  expect(page).toBe(withTable(page));
});

it('no cell of it is longer than 200 characters', () => {
  for (const cell of page.split('\n').flatMap((line) => (line.startsWith('|') ? line.split('|') : [])))
    expect(cell.length, cell).toBeLessThan(200);
});

it('a page without a place for it is refused', () => {
  expect(() => withTable(page.replace(BEGIN, ''))).toThrow('docs/settings.md must contain');
});

it('`npm run docs:settings` takes no argument but --help', async () => {
  expect(await runScript(SCRIPT, '--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('usage: npm run docs:settings') });
  expect(await runScript(SCRIPT, '--nonsense')).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('--nonsense') });
});

it.each(['api', 'worker', 'dashboard'] as const)(
  'docker-compose.yml hands the %s every variable that it reads, but where it listens',
  (app) => {
    const compose = readFileSync(new URL('../docker-compose.yml', import.meta.url), 'utf8');
    const { services } = parse(compose, { merge: true }) as { services: Record<string, { environment: Record<string, unknown> }> };
    const passed = Object.keys(services[app]!.environment);
    const listening = ['HOST', 'PORT', 'METRICS_PORT', 'DASHBOARD_PORT'];
    expect(passed.toSorted()).toEqual(
      namesReadBy(app)
        .filter((name) => !listening.includes(name))
        .toSorted(),
    );
  },
);

import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const text = readFileSync(`${ROOT}docs/testing.md`, 'utf8');
const table = text
  .slice(text.indexOf('| what is proved'))
  .split('\n')
  .filter((line) => line.startsWith('| ') && line.includes('.test.ts`'));
const files = ['packages/*/src', 'apps/*/src', 'tests'].flatMap((folder) => globSync(`${folder}/**/*.test.ts`, { cwd: ROOT }));

it('docs/testing.md says of every test file what it proves, and names none that does not exist', () => {
  const named = new Set(table.flatMap((row) => [...row.matchAll(/`([^`]+\.test\.ts)`/g)].map(([, file]) => file!)));
  const paths = [...named].filter((name) => !name.includes(' '));
  expect(paths.toSorted()).toEqual(files.toSorted());
});

it('its rows name the run that their files belong to', () => {
  for (const row of table) {
    const [, where = '', run = ''] = row.split(' | ');
    const full = [...where.matchAll(/`([^`]+)`/g)].map(([, file]) => /(^|\/)full\//.test(file!));
    const runs = [...(full.includes(false) ? ['`npm test`'] : []), ...(full.includes(true) ? ['`test:all`'] : [])];
    expect(run, row).toBe(runs.join(', '));
  }
});

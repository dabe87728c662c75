import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const rows = readFileSync(`${ROOT}docs/glossary.md`, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && line !== '| term | meaning | where |')
  .filter((line) => !line.startsWith('| ---'))
  .map((line) => line.slice(2, -2).split(' | '));

/** Returns the file or folder that a path of the glossary names; null: there is none. */
function located(path: string): string | null {
  const candidates = [`${ROOT}${path}`, `${ROOT}packages/${path.replace('/', '/src/')}`];
  return candidates.find((candidate) => existsSync(candidate)) ?? null;
}

it.each(rows)('docs/glossary.md: the places of "%s" exist, and have the names that stand with them', (_term, _meaning, where) => {
  const places = [...where!.matchAll(/`([\w./-]+\/[\w./-]+)`(?: \(`(\w+)`\))?/g)];
  expect(places).not.toEqual([]);
  for (const [, path, name] of places) {
    const file = located(path!);
    expect(file, path).not.toBeNull();
    if (name) expect(statSync(file!).isFile() && readFileSync(file!, 'utf8'), `${name} in ${path}`).toMatch(new RegExp(`\\b${name}\\b`));
  }
});

it('docs/glossary.md gives each term one row', () => {
  const terms = rows.map(([term]) => term);
  expect(terms).toEqual([...new Set(terms)]);
});

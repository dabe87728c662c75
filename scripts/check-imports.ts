/** `npm run check:imports`: checks which parts of the repository import which. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runCommand } from '../packages/sandbox/src/command-line.ts';

const USAGE = `usage: npm run check:imports -- [DIR]

Checks the imports of every package, app and example below DIR (this repository), but not those of tests and fixtures:
- a part imports only those of our parts that this script's list allows,
- core imports nothing else at all, neither of Node nor of npm,
- no file reaches into another part by its path, but tests for their fixtures,
- no files import each other in a circle, tests included.
Exit code 0: all is well; 1: findings, a line each; 2: wrong arguments.`;

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));

/** Each part that has a package.json, and which of our parts it may import. A part that is not listed is a finding. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'packages/core': [],
  'packages/contracts': ['core'],
  'packages/store': ['core'],
  'packages/queue': ['core'],
  'packages/session-manager': ['core'],
  'packages/ledger': ['core'],
  'packages/lifecycle': ['core'],
  'packages/runtime': ['core'],
  'packages/replay': ['core'],
  'packages/assembly': ['core', 'lifecycle', 'queue', 'runtime', 'session-manager', 'store'],
  'packages/simulation': ['core', 'lifecycle', 'sandbox'],
  'packages/client': [],
  'packages/sandbox': [],
  'packages/cli': ['assembly', 'client', 'contracts', 'core', 'ledger', 'lifecycle', 'replay', 'runtime', 'session-manager', 'store'],
  'apps/api': ['assembly', 'contracts', 'core', 'lifecycle', 'runtime', 'session-manager', 'store'],
  'apps/worker': ['assembly', 'contracts', 'core', 'ledger', 'lifecycle', 'queue', 'runtime', 'store'],
  'apps/dashboard': ['assembly', 'contracts', 'core', 'lifecycle', 'queue', 'runtime', 'store'],
  'apps/session-manager-sim': ['runtime'],
  'apps/local': ['sandbox'],
  'examples/chat-backend': ['client', 'runtime'],
  bench: ['api', 'core', 'lifecycle', 'queue', 'runtime', 'store', 'sandbox'],
  tests: ['client', 'core', 'ledger', 'lifecycle', 'queue', 'replay', 'store', 'sandbox'],
};
/** The part that may import nothing but its own files. */
const PURE = 'packages/core';

const SCOPE = '@sandman/';
const IMPORT = /^(?:import|export)\b[^'"`;]*?\bfrom\s+'([^']+)'|^import\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm;

/** Lists what a file imports, in the order of the text. */
const importsOf = (path: string): string[] =>
  [...readFileSync(path, 'utf8').matchAll(IMPORT)].map(([, from, alone, dynamic]) => from ?? alone ?? dynamic!);

/** Checks one import of a file. @returns what is wrong; null: nothing */
function wrong(root: string, part: string, path: string, name: string): string | null {
  if (name.startsWith('.')) {
    const isOwn = resolve(dirname(path), name).startsWith(join(root, part, '/'));
    return isOwn || (part === 'tests' && name.endsWith('.fixture.ts')) ? null : `reaches out of ${part}: ${name}`;
  }
  if (name.startsWith(SCOPE)) {
    const ours = name.slice(SCOPE.length).split('/')[0]!;
    return ALLOWED[part]!.includes(ours) ? null : `${part} must not import ${name}`;
  }
  return part === PURE ? `${part} must import nothing: ${name}` : null;
}

/** Finds circles of files that import each other. @returns for each, the files along it */
function circles(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    const at = way.indexOf(path);
    if (at >= 0) found.push([...way.slice(at), path]);
    if (at >= 0 || done.has(path)) return;
    for (const next of imports.get(path) ?? []) visit(next, [...way, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return found;
}

function findings(root: string): string[] {
  const parts = globSync(['{packages,apps,examples}/*/package.json', '{bench,tests}/package.json'], { cwd: root }).map(dirname);
  const found: string[] = [];
  for (const part of parts.toSorted()) {
    if (!ALLOWED[part]) {
      found.push(`${part}: not in the list of scripts/check-imports.ts`);
      continue;
    }
    const files = globSync(`${part}/**/*.ts`, { cwd: root, exclude: (name) => name === 'node_modules' }).toSorted();
    const imports = new Map<string, string[]>();
    for (const file of files) {
      const path = join(root, file);
      const names = importsOf(path);
      imports.set(
        path,
        names.filter((name) => name.startsWith('.')).map((name) => resolve(dirname(path), name)),
      );
      if (/\.(test|fixture)\.ts$/.test(file)) continue;
      for (const name of names) {
        const said = wrong(root, part, path, name);
        if (said) found.push(`${file}: ${said}`);
      }
    }
    for (const circle of circles(imports)) found.push(`a circle: ${circle.map((path) => relative(root, path)).join(' → ')}`);
  }
  return found;
}

await runCommand(async (args) => {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { help: { type: 'boolean', short: 'h' } } });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const root = resolve(positionals[0] ?? REPOSITORY);
  if (!existsSync(join(root, PURE))) {
    console.error(`${root} has no ${PURE}`);
    return 2;
  }
  const found = findings(root);
  for (const line of found) console.error(line);
  return found.length === 0 ? 0 : 1;
});

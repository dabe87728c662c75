import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Makes what one publishes: `node build.ts [FOLDER]`, by default `dist`. */
const here = import.meta.dirname;
const out = resolve(process.argv[2] ?? join(here, 'dist'));
rmSync(out, { recursive: true, force: true });
execFileSync('tsc', ['-p', join(here, 'tsconfig.build.json'), '--outDir', out], { stdio: 'inherit' });

const { name, version, description, license, type, engines, exports } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));
const built = Object.entries<string>(exports).map(([subpath, source]) => {
  const base = `./${source.slice('./src/'.length, -'.ts'.length)}`;
  return [subpath, { types: `${base}.d.ts`, default: `${base}.js` }];
});
const published = { name, version, description, license, type, engines, sideEffects: false, exports: Object.fromEntries(built) };
writeFileSync(join(out, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
copyFileSync(join(here, 'README.md'), join(out, 'README.md'));
copyFileSync(join(here, '../../LICENSE'), join(out, 'LICENSE'));

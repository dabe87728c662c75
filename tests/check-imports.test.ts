import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runScript } from '@sandman/sandbox';
import { expect, it } from 'vitest';

const SCRIPT = new URL('../scripts/check-imports.ts', import.meta.url);

const SOUND = {
  'packages/core/package.json': '{}',
  'packages/core/src/a.ts': "import { b } from './b.ts';\n",
  'packages/core/src/b.ts': 'export const b = 1;\n',
  'packages/core/src/a.test.ts': "import { readFileSync } from 'node:fs';\n",
  'packages/store/package.json': '{}',
  'packages/store/src/a.ts':
    "import { readFileSync } from 'node:fs';\nimport { b } from '@sandman/core';\nimport { Redis } from 'ioredis';\n",
  'tests/package.json': '{}',
  'tests/world.ts': "import { cli } from '../packages/store/src/a.fixture.ts';\n",
};

/** Checks a repository of these files in addition to sound ones. */
async function check(files: Record<string, string>) {
  const root = mkdtempSync(join(tmpdir(), 'sandman-imports-'));
  try {
    for (const [name, text] of Object.entries({ ...SOUND, ...files })) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    return await runScript(SCRIPT, root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

it('finds nothing where all is well', async () => {
  expect(await check({})).toEqual({ code: 0, stdout: '', stderr: '' });
});

it.each<[string, Record<string, string>, string]>([
  [
    'a part that another must not import',
    { 'packages/store/src/a.ts': "import type { Alarms } from '@sandman/queue';\n" },
    'packages/store/src/a.ts: packages/store must not import @sandman/queue',
  ],
  [
    'a part that it must not export from, over several lines',
    { 'packages/store/src/a.ts': "export {\n  a,\n  b,\n} from '@sandman/sandbox/sub';\n" },
    'packages/store/src/a.ts: packages/store must not import @sandman/sandbox/sub',
  ],
  [
    'Node in core',
    { 'packages/core/src/a.ts': "import 'node:fs';\n" },
    'packages/core/src/a.ts: packages/core must import nothing: node:fs',
  ],
  [
    'a package of npm in core, loaded later',
    { 'packages/core/src/a.ts': "const redis = await import('ioredis');\n" },
    'packages/core/src/a.ts: packages/core must import nothing: ioredis',
  ],
  [
    'a path into another part',
    { 'packages/store/src/a.ts': "import { b } from '../../core/src/b.ts';\n" },
    'packages/store/src/a.ts: reaches out of packages/store: ../../core/src/b.ts',
  ],
  [
    'a part that is not in the list',
    { 'packages/extra/package.json': '{}' },
    'packages/extra: not in the list of scripts/check-imports.ts',
  ],
  [
    'a circle of files',
    { 'packages/core/src/b.ts': "import type { A } from './c.ts';\n", 'packages/core/src/c.ts': "import { a } from './a.ts';\n" },
    'a circle: packages/core/src/a.ts → packages/core/src/b.ts → packages/core/src/c.ts → packages/core/src/a.ts',
  ],
])('finds %s', async (_, files, line) => {
  expect(await check(files)).toEqual({ code: 1, stdout: '', stderr: `${line}\n` });
});

it('refuses a folder that is no repository of ours', async () => {
  expect(await runScript(SCRIPT, tmpdir())).toMatchObject({ code: 2, stdout: '' });
});

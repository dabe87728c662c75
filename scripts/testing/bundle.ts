/** Bundles the programs that tests start by the hundred: a few files load sooner than 1,400 modules. */
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin, stop } from 'esbuild';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Inside the repository, so that packages which are not bundled are found. */
const FOLDER = join(ROOT, 'node_modules/.cache/bundles');

/** Each of these ends at once when it is started without the variables that it needs. */
const ENDING = [
  'apps/api/src/main.ts',
  'apps/worker/src/main.ts',
  'apps/dashboard/src/main.ts',
  'apps/session-manager-sim/src/main.ts',
  'examples/chat-backend/src/main.ts',
  'packages/cli/src/main.ts',
];
const PROGRAMS = [
  ...ENDING,
  'bench/src/main.ts',
  ...['api-with-strategy', 'bare-proxy', 'bare-worker', 'floor', 'pipelined', 'poller', 'session-manager'].map(
    (name) => `bench/src/${name}.ts`,
  ),
  ...['pin-images', 'settings'].map((name) => `scripts/${name}.ts`),
  'tests/soak/main.ts',
];

/** These look for their own files beside themselves, or are loaded by few processes. */
const NOT_BUNDLED = [
  '@bull-board/*',
  '@electric-sql/*',
  '@opentelemetry/s*',
  'esbuild',
  'msgpackr',
  'mysql2',
  'pg',
  'pino',
  'pino-pretty',
  'testcontainers',
];

/** Files find the scripts and pages beside their own source, wherever their bundle is. */
const ownAddress: Plugin = {
  name: 'own-address',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path))),
      loader: 'ts',
    }));
  },
};

/**
 * Bundles each program into a file at its own path in a folder, and what several share into files of their own.
 *
 * @param compileCache the folder of Node's compile cache, which is filled: a process that is killed, as most are, adds nothing to it
 * @returns the folder of the bundles
 */
export async function bundlePrograms(compileCache: string): Promise<string> {
  // Otherwise a program that has a bundle no more would be started from an old one.
  await rm(FOLDER, { recursive: true, force: true });
  await build({
    absWorkingDir: ROOT,
    entryPoints: PROGRAMS,
    outbase: ROOT,
    outdir: FOLDER,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    keepNames: true,
    external: NOT_BUNDLED,
    plugins: [ownAddress],
    logLevel: 'error',
    // Packages in CommonJS require Node's own modules.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  // Otherwise esbuild's own process would run as long as this one.
  await stop();
  const env = { PATH: process.env.PATH, NODE_COMPILE_CACHE: compileCache };
  await Promise.all(ENDING.map((path) => endOf(join(FOLDER, path.replace(/\.ts$/, '.mjs')), env)));
  return FOLDER;
}

/** Runs a program to its end, whatever its exit code. */
function endOf(program: string, env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program], { env }, () => resolve());
  });
}

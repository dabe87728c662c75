/** Bundles the apps for the tests, which start hundreds of processes: a few files load sooner than 1,400 modules. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin, stop } from 'esbuild';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Inside the repository, so that packages which are not bundled are found. */
const FOLDER = join(ROOT, 'node_modules/.cache/bundles');

const ENTRIES = {
  api: 'apps/api/src/main.ts',
  worker: 'apps/worker/src/main.ts',
  dashboard: 'apps/dashboard/src/main.ts',
  'session-manager-sim': 'apps/session-manager-sim/src/main.ts',
};

/** These look for their own files beside themselves, or are loaded by few processes. */
const NOT_BUNDLED = ['@bull-board/*', '@electric-sql/*', '@opentelemetry/s*', 'esbuild', 'msgpackr', 'mysql2', 'pg', 'pino', 'pino-pretty'];

/** Files find the scripts and pages beside their own source, wherever their bundle is. */
const ownAddress: Plugin = {
  name: 'own-address',
  setup({ onLoad }) {
    onLoad({ filter: /\/(apps|packages)\/[^/]+\/src\/.*\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path))),
      loader: 'ts',
    }));
  },
};

/** Bundles each app into a file of its name, and what several apps share into files beside it. @returns their folder */
export async function bundleApps(): Promise<string> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: ENTRIES,
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
  return FOLDER;
}

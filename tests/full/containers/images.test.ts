import { readFileSync } from 'node:fs';
import { lacks, waitFor } from '@sandman/sandbox';
import { beforeAll, describe, expect, it } from 'vitest';
import { docker, inspect, logsOf, missingDocker, ROOT } from './docker.ts';

const APPS = ['api', 'worker', 'dashboard', 'session-manager-sim'] as const;
/** The tag is not the one that compose builds, which may do so at the same time. */
const imageOf = (app: string) => `sandman-${app}:test-alone`;

/** Packages that only tests, checks and builds need. */
const TOOLS = ['typescript', 'vitest', 'vite', '@biomejs', 'knip', 'turbo', 'testcontainers', 'playwright-core', 'fast-check', 'node'];

/** Runs a container of an image in the background while `use` runs. @param options further options of `docker run` */
async function started<T>(image: string, env: Record<string, string>, use: (id: string) => Promise<T>, options: string[] = []): Promise<T> {
  const variables = Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  const id = await docker(['run', '--detach', '--read-only', ...options, ...variables, image]);
  try {
    return await use(id);
  } finally {
    await docker(['rm', '--force', id]);
  }
}

/** Waits until a container has ended and returns its exit code. */
const ended = (id: string) =>
  waitFor('the container has ended', async () => (await inspect<string>(id, '.State.Status')) === 'exited' && { id }, 60_000).then(() =>
    inspect<number>(id, '.State.ExitCode'),
  );

describe.skipIf(lacks('docker', missingDocker))('the images of the Dockerfile', () => {
  beforeAll(async () => {
    for (const app of APPS) {
      const named = ['--build-arg', 'VERSION=1.2.3', '--build-arg', 'REVISION=abcdef0', '--tag', imageOf(app)];
      await docker(['build', '--quiet', '--target', app, ...named, '.']);
    }
    const [, node = ''] = /^FROM (\S+) AS base$/m.exec(readFileSync(`${ROOT}/Dockerfile`, 'utf8')) ?? [];
    const base = await inspect<number>(node, '.Size');
    for (const app of APPS) {
      const beyond = (await inspect<number>(imageOf(app), '.Size')) - base;
      console.log(`${imageOf(app)}: ${Math.round(beyond / 1e6)} MB beyond Node's image`);
    }
  });

  it.each(APPS)('%s says what it is and how it is well, runs as nobody, and hears signals', async (app) => {
    const { User, Labels, Entrypoint, Healthcheck } = await inspect<{
      User: string;
      Labels: Record<string, string>;
      Entrypoint: string[];
      Healthcheck: { Test: string[] };
    }>(imageOf(app), '.Config');
    expect(User).toBe('1000:1000');
    expect(Entrypoint).toEqual(['tini', '--']);
    expect(Healthcheck.Test.join(' ')).toMatch(/^CMD node \/healthcheck\.ts [A-Z_]*PORT \d{4} \/(ready|health)z$/);
    expect(Labels).toMatchObject({
      'org.opencontainers.image.title': `sandman-${app}`,
      'org.opencontainers.image.version': '1.2.3',
      'org.opencontainers.image.revision': 'abcdef0',
      'org.opencontainers.image.licenses': 'MIT',
    });
    expect(Labels['org.opencontainers.image.description']).toMatch(/\w+ \w+/);
  });

  it.each(APPS)('%s holds its own sources and what they need, no test and no tool', async (app) => {
    const inside = async (command: string) =>
      (await docker(['run', '--rm', '--entrypoint', 'sh', imageOf(app), '-c', command])).split('\n').filter(Boolean);
    expect(await inside('ls apps')).toEqual([app]);
    expect(await inside("find packages apps -name '*.test.ts' -o -name '*.fixture.ts' -o -name '.env*'")).toEqual([]);
    expect(
      await inside('find packages/sandbox packages/simulation packages/client packages/cli packages/replay -type f ! -name package.json'),
    ).toEqual([]);
    const modules = await inside('ls node_modules');
    expect(modules).toContain('@sandman');
    expect(modules.filter((name) => TOOLS.includes(name))).toEqual([]);
    // The running user owns nothing in it, and may read everything.
    expect(await inside('find /sandman /healthcheck.ts ! -user root')).toEqual([]);
    expect(await inside('find /sandman /healthcheck.ts ! -type l ! -perm -o=r -o -type d ! -perm -o=x')).toEqual([]);
  });

  it.each(APPS)('%s without its variables ends with 2 and one line that names one', async (app) => {
    await started(imageOf(app), {}, async (id) => {
      expect(await ended(id)).toBe(2);
      expect(await logsOf(id)).toMatch(/^[a-z-]+: [A-Z_]+ is missing: it must be [^\n]+\n$/);
    });
  });

  it.each(APPS)('%s runs as a user that it does not know, as OpenShift has it', async (app) => {
    const env = {
      REDIS_URL: 'redis://127.0.0.1:1',
      SESSION_MANAGER_URL: 'http://127.0.0.1:1',
      SESSION_MANAGER_API_KEY: 'unused',
      API_KEYS: 'only-for-this-test',
      DASHBOARD_USER: 'olga',
      DASHBOARD_PASSWORD: 'only-for-this-test',
      SIM_API_KEY: 'unused',
    };
    const port = { api: 3000, worker: 9464, dashboard: 3001, 'session-manager-sim': 4000 }[app];
    const ask = `fetch('http://127.0.0.1:${port}/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))`;
    const live = (id: string) =>
      docker(['exec', id, 'node', '-e', ask]).then(
        () => true,
        () => false,
      );
    await started(imageOf(app), env, (id) => waitFor('it is live', () => live(id), 60_000), ['--user', '1000770000:0']);
  });

  it('told to stop it ends with 0; told so while it starts it ends as well', async () => {
    const [image, env] = [imageOf('session-manager-sim'), { SIM_API_KEY: 'a-key' }];
    await started(image, env, async (id) => {
      await waitFor('it is healthy', async () => (await inspect(id, '.State.Health.Status')) === 'healthy', 90_000);
      await docker(['kill', '--signal', 'TERM', id]);
      expect(await ended(id)).toBe(0);
    });
    await started(image, env, async (id) => {
      await docker(['kill', '--signal', 'TERM', id]);
      // 143 is the exit code for SIGTERM, if Node had no handler for it yet.
      expect([0, 143]).toContain(await ended(id));
    });
  });
});

import { lacks } from '@sandman/sandbox';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { ComposeProject } from './compose-project.ts';
import { docker, inspect, missingDocker } from './docker.ts';

describe.skipIf(lacks('docker', missingDocker))('variants of the compose file', () => {
  let composed: ComposeProject | undefined;

  afterEach(async () => {
    await composed?.down();
    composed = undefined;
  });

  it('development: a Redis within reach of this machine, set as the design wants it', async () => {
    composed = await ComposeProject.up({ files: ['deploy/compose/development.yml'], services: ['redis'] });
    const redis = new Redis(composed.redis);
    const settings = ['appendonly', 'maxmemory-policy', 'hz', 'hash-max-listpack-value'];
    const found = await Promise.all(settings.map(async (name) => ((await redis.call('CONFIG', 'GET', name)) as string[])[1]));
    redis.disconnect();
    expect(found).toEqual(['yes', 'noeviction', '100', '256']);
    expect(await composed.containers('api')).toEqual([]);
  });

  it('ledger: a PostgreSQL that takes the login which the worker is given', async () => {
    composed = await ComposeProject.up({ files: ['deploy/compose/ledger.yml'], services: ['postgres', 'worker'] });
    const [postgres] = await composed.containers('postgres');
    const [worker] = await composed.containers('worker');
    expect(await inspect(worker!, '.State.Health.Status')).toBe('healthy');
    const variables = await inspect<string[]>(worker!, '.Config.Env');
    const url = variables.find((line) => line.startsWith('DATABASE_URL='))!.slice('DATABASE_URL='.length);
    expect(await docker(['exec', postgres!, 'psql', url, '-Atc', 'select current_user'])).toBe('sandman');
  });

  it.each(['API_KEYS', 'SESSION_MANAGER_URL', 'SESSION_MANAGER_API_KEY', 'DASHBOARD_PASSWORD'])(
    'without %s nothing is started, and its name is said',
    async (name) => {
      const set = { API_KEYS: 'x', SESSION_MANAGER_URL: 'x', SESSION_MANAGER_API_KEY: 'x', DASHBOARD_USER: 'x', DASHBOARD_PASSWORD: 'x' };
      const asked = docker(['compose', '--env-file', '/dev/null', 'config', '--quiet'], { ...set, [name]: '' });
      await expect(asked).rejects.toThrow(`${name}`);
      await expect(docker(['compose', '--env-file', '/dev/null', 'config', '--quiet'], set)).resolves.toBe('');
    },
  );
});

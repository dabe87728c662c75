import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { lacks, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ComposeProject } from './compose-project.ts';
import { missingDocker, ROOT } from './docker.ts';

const run = promisify(execFile);
const LONG = { sleepAfter: '1h', deleteAfter: '1h' };

describe.skipIf(lacks('docker', missingDocker))('a backup of Redis', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sandman-backup-'));
  const file = join(folder, 'redis.rdb');
  let composed: ComposeProject;

  beforeAll(async () => {
    composed = await ComposeProject.up();
  });
  afterAll(async () => {
    await composed?.down();
    rmSync(folder, { recursive: true });
  });

  const script = (name: string, ...args: string[]) =>
    run(`deploy/compose/${name}.sh`, args, { cwd: ROOT, env: { ...process.env, ...composed.shell } });
  const until = (uuid: string, status: string, timeout?: number) =>
    waitFor(`${uuid} is ${status}`, async () => (await composed.status(uuid)) === status, timeout);
  const sleep = async (uuid: string) => {
    await composed.call('POST', `/v1/sessions/${uuid}/sleep`);
    await until(uuid, 'sleeping');
  };

  it('brings every session back as it was; pods that went on meanwhile are made to follow, and nobody stays asleep who is wanted awake', async () => {
    const [awake, sleeper, left, due] = await Promise.all([
      composed.create('awake', LONG),
      composed.create('sleeper', LONG),
      composed.create('left', LONG),
      composed.create('due', { sleepAfter: '8s', deleteAfter: '1h' }),
    ]);
    await sleep(sleeper);
    expect((await script('backup', file)).stdout).toMatch(/redis\.rdb: \d+ bytes/);
    // Changes after the backup, which it does not contain.
    await sleep(awake);
    await composed.call('DELETE', `/v1/sessions/${left}`);
    await until(left, 'deleted');

    await script('restore', file);
    expect(await composed.status(sleeper)).toBe('sleeping');
    // The restored record says that the pod is awake. The user's request or the sweep, whichever is first, finds that it sleeps.
    expect(['waking', 'active']).toContain((await composed.call('POST', `/v1/sessions/${awake}/activity`)).body.status);
    await until(awake, 'active');
    expect(await composed.replicas(awake)).toBe(1);
    await waitFor('the pod that is gone is known to be', async () => (await composed.status(left)) === 'deleted', 90_000);
    // Alarms were restored too. The session stays awake until a full sleepAfter has passed with the APIs running.
    await until(due, 'sleeping', 60_000);
    // Processes that kept running also noticed the older data, so the session may have been woken twice.
    expect((await composed.calls(due)).join(' ')).toMatch(/^create (wake )+sleep$/);
    expect((await composed.call('POST', `/v1/sessions/${sleeper}/activity`)).body.status).toBe('waking');
    await until(sleeper, 'active');
  });

  it('that is none changes nothing, and neither does a backup that breaks off', async () => {
    const uuid = await composed.create('stays', LONG);
    const other = join(folder, 'other');
    writeFileSync(other, 'something else');
    await expect(script('restore', other)).rejects.toThrow('is no backup of a Redis');
    await expect(script('restore')).rejects.toMatchObject({ code: 2 });
    expect(await composed.status(uuid)).toBe('active');
    await expect(
      run('deploy/compose/backup.sh', [join(folder, 'none')], {
        cwd: ROOT,
        env: { ...process.env, ...composed.shell, COMPOSE_PROJECT_NAME: 'nobody' },
      }),
    ).rejects.toThrow();
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});

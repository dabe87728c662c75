import { eventFrames, formLogin, lacks, nextEvent, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ComposeProject } from './compose-project.ts';
import { docker, inspect, logsOf, missingDocker } from './docker.ts';

const OURS = ['api', 'worker', 'dashboard', 'session-manager'];

describe.skipIf(lacks('docker', missingDocker))('docker compose --profile demo up --wait', () => {
  let composed: ComposeProject;

  beforeAll(async () => {
    composed = await ComposeProject.up();
  });
  afterAll(() => composed?.down());

  const until = (uuid: string, status: string) =>
    waitFor(`${uuid} is ${status}`, async () => (await composed.status(uuid)) === status, 60_000);

  it('ends with every container healthy', async () => {
    for (const service of [...OURS, 'redis']) {
      const [id, ...others] = await composed.containers(service);
      expect(await inspect(id!, '.State.Health.Status'), service).toBe('healthy');
      expect(others).toEqual([]);
    }
  });

  it('ours run as nobody in particular, with no capability, on a file system that they cannot change', async () => {
    for (const service of OURS) {
      const [id] = await composed.containers(service);
      const shell = (command: string) => docker(['exec', id!, 'sh', '-c', command]);
      expect(await shell('id -u; id -g; grep CapEff /proc/1/status; grep NoNewPrivs /proc/1/status'), service).toMatch(
        /^1000\n1000\nCapEff:\s+0+\nNoNewPrivs:\s+1$/,
      );
      for (const path of ['/sandman/x', '/tmp/x', '/x']) await expect(shell(`touch ${path}`)).rejects.toThrow('Read-only file system');
    }
  });

  it('the main job runs through the published ports: asleep when idle, awake by a ping, deleted', async () => {
    const uuid = await composed.create('ada', { sleepAfter: '1s', deleteAfter: '1h' });
    expect(await composed.replicas(uuid)).toBe(1);
    await until(uuid, 'sleeping');
    expect(await composed.replicas(uuid)).toBe(0);
    // A long policy, so that it stays awake while one looks.
    const give = (policy: unknown) => composed.call('PATCH', `/v1/sessions/${uuid}`, { policy });
    await give('balanced');
    expect((await composed.call('POST', `/v1/sessions/${uuid}/activity`)).body.status).toBe('waking');
    await until(uuid, 'active');
    expect(await composed.replicas(uuid)).toBe(1);
    await give({ sleepAfter: '1s', deleteAfter: '1h' });
    await until(uuid, 'sleeping');
    await give({ sleepAfter: '1s', deleteAfter: '1s' });
    await until(uuid, 'deleted');
    expect(await composed.replicas(uuid)).toBeNull();
    expect(await composed.calls(uuid)).toEqual(['create', 'sleep', 'wake', 'sleep', 'delete']);
  });

  it('a logout deletes at once', async () => {
    const uuid = await composed.create('leaver', 'balanced');
    expect((await composed.call('POST', '/v1/users/leaver/logout')).status).toBe(202);
    await until(uuid, 'deleted');
  });

  it('the operators’ page takes the login of the environment, and shows the worker', async () => {
    const { DASHBOARD_USER, DASHBOARD_PASSWORD } = composed.env;
    const login = await formLogin(composed.dashboard, DASHBOARD_USER!, DASHBOARD_PASSWORD!);
    expect(login.status).toBe(303);
    const looking = eventFrames(`${composed.dashboard}/api/live`, login.headers);
    const { workers } = await nextEvent<{ workers: { alive: number } }>(looking, 'overview');
    await looking.return(undefined);
    expect(workers.alive).toBe(1);
  });

  it('--scale worker=3 makes three of them, which put each pod to sleep once', async () => {
    await composed.upAgain(['--no-recreate', '--scale', 'worker=3']);
    const workers = await composed.containers('worker');
    expect(workers).toHaveLength(3);
    const done = async (worker: string) => {
      const script = "fetch('http://127.0.0.1:9464/metrics').then((answer) => answer.text()).then(console.log)";
      const metrics = await docker(['exec', worker, 'node', '-e', script]);
      return Number(/^sandman_actions_total\{action="sleep",outcome="done"\} (\d+)$/m.exec(metrics)?.[1] ?? 0);
    };
    const uuids: string[] = [];
    const crowd = () => Array.from({ length: 60 }, (_, i) => composed.create(`crowd-${i}`, { sleepAfter: '1s', deleteAfter: '1h' }));
    // On a busy machine two of them may have done all before the third comes to it, so there may be several crowds.
    const shares = await waitFor(
      'each has put some to sleep',
      async () => {
        const more = await Promise.all(crowd());
        for (const uuid of more) await until(uuid, 'sleeping');
        uuids.push(...more);
        const counts = await Promise.all(workers.map(done));
        return counts.every((count) => count > 0) ? counts : null;
      },
      120_000,
    );
    for (const uuid of uuids) expect(await composed.calls(uuid)).toEqual(['create', 'sleep']);
    console.log(`sleeps of each worker: ${shares.join(', ')}`);
    // The first worker has two more, from the test before.
    expect(shares.reduce((sum, share) => sum + share)).toBeGreaterThanOrEqual(uuids.length);
  });

  it('no secret stands in what they wrote', async () => {
    for (const service of [...OURS, 'redis']) {
      for (const id of await composed.containers(service)) {
        const said = await logsOf(id);
        expect(said).not.toBe('');
        expect(composed.secrets.filter((secret) => said.includes(secret))).toEqual([]);
      }
    }
  });
});

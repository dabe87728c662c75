import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { promisify } from 'node:util';
import { lacks, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ComposeProject } from './compose-project.ts';
import { docker, inspect, logsOf, missingDocker, ROOT } from './docker.ts';
import { SteadyPings } from './steady-pings.ts';

const run = promisify(execFile);

const USERS = 40;
/** An API's answer if Redis did not answer in time. */
const REDIS_STALLED = '503 Redis cannot be reached';
/** `sleepAfter` is shorter than each outage below, so a sleep that ignores the outage would be seen. */
const POLICY = { sleepAfter: '3s', deleteAfter: '1h' };

describe.skipIf(lacks('docker', missingDocker))('two APIs and two workers behind a proxy, under steady pings', () => {
  let composed: ComposeProject;
  let pings: SteadyPings;

  beforeAll(async () => {
    composed = await ComposeProject.up({ files: ['deploy/compose/production.yml'] });
    pings = new SteadyPings(composed, await Promise.all(Array.from({ length: USERS }, (_, i) => composed.create(`user-${i}`, POLICY))));
  });
  afterAll(async () => {
    await pings?.stop();
    await composed?.down();
  });

  const taken = (more: number) => waitFor('pings are taken again', () => pings.count('202') >= more, 20_000);

  it('every Sandman container is replaced, one after the other: no ping fails, nobody is put to sleep', async () => {
    const services = ['worker', 'api', 'dashboard'];
    const before = (await Promise.all(services.map((service) => composed.containers(service)))).flat();
    expect(before).toHaveLength(5);
    const from = Date.now();
    const { stdout } = await run('deploy/compose/roll.sh', services, { cwd: ROOT, env: { ...process.env, ...composed.shell } });
    expect(stdout.match(/: replacing /g)).toHaveLength(5);
    await taken(pings.count('202') + USERS);
    const after = (await Promise.all(services.map((service) => composed.containers(service)))).flat();
    expect(after).toHaveLength(5);
    expect(after.filter((id) => before.includes(id))).toEqual([]);
    const { 202: accepted = 0, ...failed } = pings.take();
    const sleepers = await pings.asleep();
    const count = Object.values(failed).reduce((sum, some) => sum + some, 0);
    console.log(
      `rolling restart of ${before.length} containers in ${Math.round((Date.now() - from) / 1_000)} s: pings sent ${accepted + count}, failed ${count} ${JSON.stringify(failed)}, early sleeps ${sleepers.length}`,
    );
    // Redis is not replaced. If the machine's disk stalls it for more than 800 ms, that costs each user one ping.
    const { [REDIS_STALLED]: stalled = 0, ...others } = failed;
    expect(others).toEqual({});
    expect(stalled).toBeLessThanOrEqual(USERS);
    expect(sleepers).toEqual([]);
    expect(accepted).toBeGreaterThan(USERS * 20);
  });

  it('APIs that cannot answer for a second are not left out', async () => {
    const [apis, [proxy]] = await Promise.all([composed.containers('api'), composed.containers('proxy')]);
    const leftOut = async () => (await logsOf(proxy!)).match(/Server apis\/\w+ is DOWN/g)?.length ?? 0;
    // Process 1 is tini, and Node is its child. One command, because the daemon may take seconds for the next.
    const stall = 'node=$(cat /proc/1/task/1/children); kill -STOP $node && sleep 1 && kill -CONT $node';
    const before = await leftOut();
    expect(before, 'each was, until it was ready').toBeGreaterThan(0);
    for (let stalls = 0; stalls < 3; stalls++) {
      await Promise.all(apis.map((api) => docker(['exec', api, 'sh', '-c', stall])));
      await taken(pings.count('202') + USERS);
    }
    expect(await leftOut()).toBe(before);
  });

  /** Removes Redis until pings have been refused for longer than `sleepAfter`, restores it, and checks that no session slept. */
  async function outage(what: string, away: () => Promise<unknown>, back: () => Promise<unknown>): Promise<void> {
    await taken(USERS);
    pings.take();
    await away();
    const from = Date.now();
    await waitFor('pings are refused for 5 s', () => pings.refused() > 0 && Date.now() - from > 5_000, 20_000);
    await back();
    await taken(pings.count('202') + USERS);
    // Every session is awake, and must stay awake.
    for (const uuid of pings.uuids) await waitFor(`${uuid} is active`, async () => (await composed.status(uuid)) === 'active');
    const refused = pings.refused();
    const { 202: accepted = 0, ...others } = pings.take();
    const failed = Object.keys(others).filter((answer) => !answer.startsWith('503 '));
    const sleepers = await pings.asleep();
    console.log(
      `${what}: pings taken ${accepted}, refused with 503 ${refused}: ${JSON.stringify(others)}, early sleeps ${sleepers.length}`,
    );
    expect(failed).toEqual([]);
    expect(refused).toBeGreaterThan(0);
    expect(sleepers).toEqual([]);
  }

  it('Redis killed and started again: pings answer 503 meanwhile and nothing else, and nobody is put to sleep', async () => {
    const [redis] = await composed.containers('redis');
    await outage(
      'Redis killed',
      () => docker(['kill', redis!]),
      () => docker(['start', redis!]),
    );
  });

  it('Redis stopped by a signal, then continued: likewise', async () => {
    const [redis] = await composed.containers('redis');
    await outage(
      'Redis stopped',
      () => docker(['kill', '--signal', 'STOP', redis!]),
      () => docker(['kill', '--signal', 'CONT', redis!]),
    );
  });

  it('once the users have gone, all fall asleep', async () => {
    await pings.stop();
    for (const uuid of pings.uuids) await waitFor(`${uuid} sleeps`, async () => (await composed.status(uuid)) === 'sleeping', 20_000);
    expect(await composed.replicas(pings.uuids[0]!)).toBe(0);
  });

  /** Returns the status and body for a path that is sent exactly as written. */
  const raw = (path: string) =>
    new Promise<{ readonly status: number; readonly body: string }>((resolve, reject) => {
      const { port } = new URL(composed.api);
      // A proxy refuses an absolute address whose host differs from the Host header.
      const headers = path.startsWith('http') ? { host: 'sandman' } : {};
      request({ host: '127.0.0.1', port, path, headers }, async (answer) => {
        let body = '';
        for await (const chunk of answer.setEncoding('utf8')) body += chunk;
        resolve({ status: answer.statusCode!, body });
      })
        .once('error', reject)
        .end();
    });

  it.each([
    '/metrics',
    '/%6Detrics',
    '//metrics',
    '/./metrics',
    '/v1/../metrics',
    '/v1/%2e%2E/metrics',
    '/docs/../metrics',
    '/v1//metrics',
    'http://sandman/metrics',
    'http://sandman/%6Detrics',
    '/',
  ])('what the APIs tell of themselves is not for the world: %s', async (path) => {
    const { status, body } = await raw(path);
    expect(status).toBe(404);
    expect(JSON.parse(body)).toMatchObject({ code: 'not-found', status: 404 });
  });

  it('what callers need passes the proxy', async () => {
    for (const path of ['/healthz', '/readyz', '/openapi.json', '/docs/', 'http://sandman/healthz'])
      expect((await raw(path)).status, path).toBe(200);
    for (const path of ['/v1/policies', '/v1/users/a%2Fb/activity', '/v1/sessions?userId=../x'])
      expect((await raw(path)).status, path).toBe(401);
  });

  it('the APIs are reached by the proxy alone', async () => {
    const [api] = await composed.containers('api');
    expect(await inspect(api!, '.NetworkSettings.Ports')).toEqual({ '3000/tcp': null });
  });
});

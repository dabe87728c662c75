import { type FoundRedis, redisForTests, waitFor } from '@sandman/sandbox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { logLinesOf } from './process-log.ts';
import { TestStack } from './stack.ts';

let redis: FoundRedis;
let stack: TestStack;

beforeAll(async () => {
  redis = await redisForTests();
  stack = await new TestStack(redis.url).start({});
});

afterAll(async () => {
  await stack?.stop();
  await redis?.stop();
});

const said = (uuid: string) =>
  [...stack.apis, ...stack.workers]
    .flatMap(logLinesOf)
    .filter(({ session }) => session === uuid)
    .map(({ msg, action, cause }) => `${msg}: ${action}, ${cause}`);

const asked = (uuid: string) => said(uuid).filter((line) => line.startsWith('request accepted'));

it('whatever changes what is wanted is one line, which says why; a ping that changes nothing is none', async () => {
  const { uuid } = await stack.create('a-name-that-nobody-may-read');
  const path = `/v1/sessions/${uuid}`;
  const call = async (method: string, rest: string, body?: unknown) =>
    expect((await stack.call(method, path + rest, body)).status).toBeLessThan(300);
  await stack.ping(uuid);
  await stack.call('POST', '/v1/users/a-name-that-nobody-may-read/activity');
  await call('PATCH', '', { policy: 'aggressive' });
  await call('POST', '/hold', { for: '1m' });
  await call('DELETE', '/hold');
  await call('POST', '/sleep');
  await stack.until(uuid, 'sleeping');
  await stack.ping(uuid);
  await stack.ping(uuid);
  await stack.until(uuid, 'active');
  await call('POST', '/sleep');
  await stack.until(uuid, 'sleeping');
  await call('POST', '/wake');
  await stack.until(uuid, 'active');
  await call('PUT', '', { userId: 'a-name-that-nobody-may-read' });
  await call('PUT', '', { userId: 'a-name-that-nobody-may-read', policy: 'balanced' });
  await call('DELETE', '');
  await stack.until(uuid, 'deleted');

  const { uuid: leaver } = await stack.create('leaver');
  await stack.call('POST', '/v1/users/leaver/logout');
  await stack.until(leaver, 'deleted');
  await stack.sim('POST', '/sim/pods', { uuid: 'planted1', userId: 'owner' });
  await stack.call('PUT', '/v1/sessions/planted1', { userId: 'owner' });

  await waitFor('the last one is told', () => asked('planted1').length > 0);
  expect(asked(uuid)).toEqual(
    [
      'create, created',
      'policy, manual',
      'hold, manual',
      'end-hold, manual',
      'sleep, manual',
      'wake, activity',
      'sleep, manual',
      'wake, manual',
      'policy, manual',
      'delete, manual',
    ].map((line) => `request accepted: ${line}`),
  );
  expect(asked(leaver)).toEqual(['request accepted: create, created', 'request accepted: delete, logout']);
  expect(asked('planted1')).toEqual(['request accepted: adopt, adopted']);
  for (const app of [...stack.apis, ...stack.workers]) expect(app.stdout()).not.toContain('a-name-that-nobody-may-read');
});

it('a decision at an idle deadline is a line, and so is the call that follows', async () => {
  const { uuid } = await stack.create('idler', { sleepAfter: '200ms', deleteAfter: '200ms' });
  await stack.until(uuid, 'deleted');
  expect(said(uuid).filter((line) => !line.startsWith('request accepted'))).toEqual([
    'idle deadline passed: sleep, idle',
    'call ended: sleep, idle',
    'idle deadline passed: delete, delete-due',
    'call ended: delete, delete-due',
  ]);
});

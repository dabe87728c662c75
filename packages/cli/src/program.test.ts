import type { ServerResponse } from 'node:http';
import { freePort } from '@sandman/sandbox';
import { describe, expect, it } from 'vitest';
import { json, sandmanHere as sandman, sessionAnswer, startStandIn, uuidOf, uuids } from './cli.fixture.ts';

const ENV = { SANDMAN_API_KEY: 'test-api-key-0123456789' };

describe('wrong arguments and a wrong environment are one line and code 2', () => {
  it.each([
    ['an unknown command', ['slep', 'a'], {}, "unknown command 'slep' (Did you mean sleep?)"],
    ['an unknown option', ['sessions', '--users', 'a'], {}, "unknown option '--users' (Did you mean --user?)"],
    ['a status that there is not', ['sessions', '--status', 'asleep'], {}, 'Allowed choices are active, falling-asleep'],
    ['a status that nothing can be done about', ['wake', '--status', 'deleting'], {}, 'Allowed choices are active, falling-asleep'],
    ['a limit out of range', ['sessions', '--limit', '1001'], {}, 'whole number from 1 to 1000'],
    ['a limit of all', ['sessions', '--limit', '5', '--all'], {}, "'--all' cannot be used with option '--limit"],
    ['too many arguments', ['sessions', 'a'], {}, 'too many arguments'],
    ['no uuid', ['show'], {}, "missing required argument 'uuid'"],
    ['a malformed uuid', ['show', 'a/b'], {}, '1 to 64 of letters, digits, _ and -'],
    ['a malformed uuid among others', ['sleep', 'a', '../b', '--yes'], {}, '"../b" is not a uuid'],
    ['a bad duration', ['hold', 'a', '--for', '2 hours'], {}, 'must be a duration such as'],
    ['a bad time', ['hold', 'a', '--until', 'tomorrow'], {}, 'must be a time such as'],
    ['no end of a hold', ['hold', 'a'], {}, 'say --for a duration, --until a time, or --end'],
    ['two ends of a hold', ['hold', 'a', '--for', '1h', '--end'], {}, "cannot be used with option '--end'"],
    ['no end of a keep', ['keep', 'a'], {}, 'say --for a duration, --until a time, or --end'],
    ['two ends of a keep', ['keep', 'a', '--until', '2026-12-24T18:00', '--end'], {}, "cannot be used with option '--end'"],
    ['a keep that is too long', ['keep', 'a', '--for', '3651d'], {}, "option '--for <duration>' argument '3651d' is invalid"],
    ['a grace that is too long', ['delete', 'a', '--grace', '40d'], {}, "option '--grace <duration>' argument '40d' is invalid"],
    ['a grace of a logout that is too long', ['logout', 'ada', '--grace', '40d'], {}, 'It must be at most 30d'],
    ['a grace that is none', ['delete', 'a', '--grace', '0'], {}, 'must be a duration such as'],
    ['a grace of a sleep', ['sleep', 'a', '--grace', '1h'], {}, "unknown option '--grace'"],
    ['force of a wake', ['wake', 'a', '--force'], {}, "unknown option '--force'"],
    ['no user', ['logout'], {}, "missing required argument 'user'"],
    ['a user that is lost in a path', ['logout', '..', '--yes'], {}, 'A user id is 1 to 255 characters'],
    ['a wait that is too long', ['wake', 'a', '--wait', '3m'], {}, 'at most 2m'],
    ['a bad timeout', ['sessions', '--timeout', '-1'], {}, 'must be a duration such as'],
    ['no session at all', ['sleep', '--yes'], {}, 'say which sessions'],
    ['sessions twice over', ['sleep', 'a', '--user', 'b', '--yes'], {}, 'say which sessions'],
    ['a shell that there is not', ['completion', 'tcsh'], {}, 'Allowed choices are bash, zsh, fish'],
    ['a key as an option', ['sessions', '--api-key', 'x'], {}, 'unknown option'],
    ['no key', ['sessions'], { SANDMAN_API_KEY: '' }, 'SANDMAN_API_KEY is missing'],
    ['a key that is none', ['sessions'], { SANDMAN_API_KEY: 'secret\nkey' }, 'SANDMAN_API_KEY is no key'],
    ['a bad address', ['sessions', '--url', 'localhost:3000'], {}, '--url must be an address such as http://127.0.0.1:3000'],
    ['a bad address in the environment', ['sessions'], { SANDMAN_URL: 'ftp://x' }, 'SANDMAN_URL must be an address such as'],
    ['an address with a password', ['sessions'], { SANDMAN_URL: 'http://u:hunter2@x' }, 'no user, password, query or fragment'],
  ] as [string, string[], Record<string, string>, string][])('%s', async (_, args, env, says) => {
    const { code, stdout, stderr } = await sandman(args, { ...ENV, ...env });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^sandman: .+\n$/);
    expect(stderr).toContain(says);
    expect(stderr).not.toMatch(/hunter2|secret/);
  });

  const DIRECT = {
    REDIS_URL: 'redis://127.0.0.1:1',
    DATABASE_URL: 'postgres://ada:hunter2@127.0.0.1:1/x',
    SESSION_MANAGER_URL: 'http://127.0.0.1:1',
    SESSION_MANAGER_API_KEY: 'secret',
  };
  it.each([
    ['REDIS_URL', ''],
    ['REDIS_URL', 'http://hunter2'],
    ['DATABASE_URL', ''],
    ['DATABASE_URL', 'oracle://ada:hunter2@127.0.0.1/x'],
    ['SESSION_MANAGER_URL', ''],
    ['SESSION_MANAGER_URL', 'hunter2'],
    ['SESSION_MANAGER_API_KEY', ''],
    ['SESSION_MANAGER_TIMEOUT', 'hunter2'],
    ['LATE_EFFECT_BOUND', 'hunter2'],
    ['KEY_PREFIX', 'hunter 2'],
    ['SHARDS', 'hunter2'],
    ['POLICIES', '{hunter2'],
    ['POLICIES', '{"x":{"sleepAfter":"hunter2","deleteAfter":"1h"}}'],
    ['DEFAULT_POLICY', 'hunter2'],
  ])('%s=%s of what works on Redis and the database', async (name, value) => {
    for (const command of ['restore', 'audit']) {
      const { code, stdout, stderr } = await sandman([command], { ...DIRECT, [name]: value });
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(new RegExp(`^sandman: ${name}.+\n$`));
      expect(stderr).not.toMatch(/hunter2|secret/);
    }
  });

  it('no command at all shows what there are', async () => {
    const { code, stderr } = await sandman([], ENV);
    expect(code).toBe(2);
    expect(stderr).toContain('Commands:');
  });
});

it.each([
  '',
  'sessions',
  'show',
  'sleep',
  'wake',
  'delete',
  'logout',
  'hold',
  'keep',
  'restore',
  'audit',
  'simulate',
  'trace',
  'completion',
])('%s --help needs no key and has examples', async (name) => {
  const { code, stdout, stderr } = await sandman([...(name ? [name] : []), '--help'], {});
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/\nExamples:\n {2}\S/);
  expect(stdout).toContain('--timeout');
});

describe('no server', () => {
  it('that cannot be reached is code 3', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    for (const args of [['sessions'], ['show', 'a'], ['wake', 'a']]) {
      const { code, stdout, stderr } = await sandman([...args, '--url', url], ENV);
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
      expect(stderr).toMatch(/^sandman: Sandman cannot be reached at \S+ \(.*ECONNREFUSED.*\): is it up, .+\n$/);
      expect(stderr).toContain(url);
    }
  });

  it('is not asked again for each of many', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { code, stderr } = await sandman(['sleep', '-', '--yes', '--concurrency', '2', '--url', url], ENV, uuids(40).join('\n'));
    expect(code).toBe(3);
    expect(stderr.trimEnd().split('\n').at(-1)).toBe('sandman: 0 of 40 sessions put to sleep, 2 failed, 38 not begun');
  });

  it('that does not answer in time is code 3', async () => {
    await using server = await startStandIn(() => {});
    const { code, stderr } = await sandman(['show', 'a', '--url', server.url, '--timeout', '200ms'], ENV);
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: `sandman: ${server.url} did not answer in time: try again, or allow more with --timeout\n`,
    });
  });
});

it('no database is code 3, and its password is not told', async () => {
  const env = {
    REDIS_URL: 'redis://127.0.0.1:1',
    DATABASE_URL: `postgres://ada:hunter2@127.0.0.1:${await freePort()}/x`,
    SESSION_MANAGER_URL: 'http://127.0.0.1:1',
    SESSION_MANAGER_API_KEY: 'secret',
  };
  const { code, stdout, stderr } = await sandman(['restore'], env);
  expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
  expect(stderr).toMatch(/^sandman: the ledger's database cannot be reached \(ECONNREFUSED.*\): is DATABASE_URL right\?\n$/);
  expect(stderr).not.toMatch(/hunter2|secret/);
});

describe('a server that is not Sandman', () => {
  const COMMANDS = [['sessions'], ['sessions', '--all'], ['show', 'a'], ['sleep', 'a'], ['hold', 'a', '--end'], ['wake', '--user', 'a']];
  it.each<[string, (response: ServerResponse) => void]>([
    ['HTML', (response) => response.setHeader('content-type', 'text/html').end('<h1>\u001b[2JIt works!</h1>')],
    ['nothing', (response) => response.end()],
    ['an empty object', (response) => json(response, {})],
    ['a list', (response) => json(response, [1])],
    ['what is almost it', (response) => json(response, { items: [{ uuid: 'a' }], nextCursor: null })],
    ['HTML with 502', (response) => response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>')],
    ['a redirect', (response) => response.writeHead(302, { location: '/login' }).end()],
  ])('but answers %s', async (_, answer) => {
    await using server = await startStandIn((_request, response) => answer(response));
    for (const args of COMMANDS) {
      const { code, stdout, stderr } = await sandman([...args, '--url', server.url], ENV);
      expect([1, 3]).toContain(code);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^sandman: .+is SANDMAN_URL \(or --url\) right\?\n$/);
      expect(stderr).not.toMatch(/\p{Cc}.*\n/u);
    }
  });
});

it('says what to do about an API that is not ready, or has had enough', async () => {
  await using server = await startStandIn((request, response) => {
    const [status, code] = uuidOf(request) === 'a' ? [503, 'not-ready'] : [429, 'rate-limited'];
    json(response, { code, status, detail: 'Redis cannot be reached' }, status as number, { 'retry-after': '7' });
  });
  const env = { ...ENV, SANDMAN_URL: server.url };
  expect(await sandman(['wake', 'a'], env)).toMatchObject({
    code: 1,
    stderr: 'sandman: Sandman is not ready (Redis cannot be reached): try again in 7 s\n',
  });
  expect(await sandman(['wake', 'b'], env)).toMatchObject({ code: 1, stderr: 'sandman: too many calls with this key: try again in 7 s\n' });
});

it('many wait where the API asks them to, and none is lost', async () => {
  const refused = new Set<string>();
  await using server = await startStandIn((request, response) => {
    const uuid = uuidOf(request);
    if (refused.has(uuid)) return json(response, sessionAnswer(uuid, 'falling-asleep'), 202);
    refused.add(uuid);
    json(response, { code: 'rate-limited', status: 429, detail: 'enough' }, 429, { 'retry-after': '0' });
  });
  const { code, stdout, stderr } = await sandman(['sleep', '-', '--yes', '--url', server.url], ENV, uuids(20).join('\n'));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '20 sessions put to sleep\n' });
  expect(stdout.trimEnd().split('\n')).toHaveLength(20);
});

describe('sessions that are being deleted already', () => {
  /** A server with one session of each of these statuses, and the calls that change them. */
  const startFleet = async (...statuses: string[]) => {
    const changes: string[] = [];
    const server = await startStandIn(({ method, url = '' }, response) => {
      if (method === 'GET')
        return json(response, { items: statuses.map((status) => sessionAnswer(`is-${status}`, status)), nextCursor: null });
      changes.push(`${method} ${url}`);
      json(response, sessionAnswer('is-active', 'falling-asleep'), 202);
    });
    return { server, changes };
  };

  it('get no grace', async () => {
    const { server, changes } = await startFleet('active', 'deleting');
    await using _ = server;
    expect((await sandman(['delete', '--user', 'ada', '--grace', '1h', '--yes', '--url', server.url], ENV)).code).toBe(0);
    expect(changes).toEqual(['DELETE /v1/sessions/is-active?grace=1h']);
  });

  it('are not counted before a logout', async () => {
    const { server, changes } = await startFleet('active', 'deleting', 'sleeping');
    await using _ = server;
    const asked = await sandman(['logout', 'ada', '--url', server.url], ENV);
    expect(asked.stderr).toContain('Log ada out and delete 2 sessions with all data, for good?');
    const dry = await sandman(['logout', 'ada', '--dry-run', '--json', '--url', server.url], ENV);
    expect(dry.stdout).toBe('{"uuid":"is-active"}\n{"uuid":"is-sleeping"}\n');
    expect(changes).toEqual([]);
  });
});

it('a keep may be longer than a policy’s durations', async () => {
  const bodies: string[] = [];
  await using server = await startStandIn(async (request, response) => {
    for await (const chunk of request) bodies.push(String(chunk));
    json(response, { ...sessionAnswer('a'), keepUntil: '2035-01-01T00:00:00.000Z' });
  });
  expect(await sandman(['keep', 'a', '--for', '3650d', '--url', server.url], ENV)).toEqual({
    code: 0,
    stdout: 'a  kept until 2035-01-01T00:00:00.000Z\n',
    stderr: '',
  });
  expect(bodies).toEqual(['{"for":"3650d"}']);
});

it('no more at a time than --concurrency', async () => {
  let [open, most] = [0, 0];
  await using server = await startStandIn((request, response) => {
    most = Math.max(most, ++open);
    setTimeout(() => {
      open--;
      json(response, sessionAnswer(uuidOf(request)), 202);
    }, 20);
  });
  await sandman(['sleep', '-', '--yes', '--concurrency', '3', '--url', server.url], ENV, uuids(20).join('\n'));
  expect(most).toBe(3);
});

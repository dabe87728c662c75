import { connect } from 'node:net';
import { Random } from '@sandman/core';
import { type FoundRedis, formLogin, redisForTests, waitFor } from '@sandman/sandbox';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_KEY, OPERATOR, TestStack, VIEWER } from '../stack.ts';

/** FUZZ_SEED repeats a run, FUZZ_CASES sets its length. */
const SEED = Number(process.env.FUZZ_SEED ?? 18);
const CASES = Number(process.env.FUZZ_CASES ?? 2_000);
/** Cases that run concurrently, each on sessions of its own. */
const LANES = 8;
/** The time limit for an answer or the end of a connection, in ms; the longest wait that a request asks for is far shorter. */
const HANG_MS = 20_000;
/** After this time without data no more is expected, in ms, because the request is incomplete. */
const QUIET_MS = 500;
/** Records must not change while they are compared: this policy has no deadline during the run, and no patrol runs. */
const POLICY = 'conservative';

let redis: FoundRedis;
let client: Redis;
let stack: TestStack;
let targets: readonly Target[];

/** A server, and the parts that requests to it are made of. */
interface Target {
  readonly name: string;
  readonly port: number;
  /** `{uuid}` and `{userId}` stand for those of a session. */
  readonly routes: readonly (readonly [method: string, path: string])[];
  /** Headers that identify a caller, valid and invalid. */
  readonly callers: readonly string[];
}

const HIDDEN = ['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs', '/docs/', '/docs/js/scalar.js', '/docs/nothing', '/'];
const DASHBOARD: readonly (readonly [string, string])[] = [
  ...['/', '/login', '/healthz', '/readyz', '/assets/main.js', '/assets/style.css', '/api/live', '/api/trend', '/queues', '/queues/'],
  ...['/queues/api/queues', '/queues/api/queues?activeQueue=sleep&status=delayed&page=1&jobsPerPage=10', '/queues/queue/sleep/x'],
].map((path) => ['GET', path] as const);
const DASHBOARD_CHANGES: readonly (readonly [string, string])[] = [
  ['POST', '/login'],
  ['POST', '/logout'],
  ['POST', '/api/sessions/{uuid}/sleep'],
  ['POST', '/api/sessions/{uuid}/wake'],
  ['POST', '/api/sessions/{uuid}/hold'],
  ['DELETE', '/api/sessions/{uuid}/hold'],
  ['DELETE', '/api/sessions/{uuid}'],
];

beforeAll(async () => {
  redis = await redisForTests();
  client = new Redis(redis.url);
  stack = await new TestStack(redis.url).start({});
  const dashboard = await stack.addDashboard();
  const api = stack.apiUrls[0]!;
  const { paths } = (await (await fetch(`${api}/openapi.json`)).json()) as { paths: Record<string, Record<string, unknown>> };
  const logins = await Promise.all([OPERATOR, VIEWER].map(({ user, password }) => formLogin(dashboard.url, user, password)));
  targets = [
    {
      name: 'api',
      port: Number(new URL(api).port),
      routes: [
        ...Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => [method.toUpperCase(), path] as const)),
        ...HIDDEN.map((path) => ['GET', path] as const),
      ],
      callers: [`x-api-key: ${API_KEY}`, `x-api-key: ${API_KEY}`, `authorization: Bearer ${API_KEY}`, 'x-api-key: wrong', 'x: none'],
    },
    {
      name: 'dashboard',
      port: Number(new URL(dashboard.url).port),
      routes: [...DASHBOARD, ...DASHBOARD_CHANGES],
      callers: [...logins.map(({ headers }) => `cookie: ${headers.cookie}`), 'cookie: sandman=1.operator.x', 'x: none'],
    },
  ];
}, 120_000);

afterAll(async () => {
  client?.disconnect();
  await stack?.stop();
  await redis?.stop();
});

const ODD_METHODS = ['HEAD', 'OPTIONS', 'TRACE', 'PATCH', 'PUT', 'PROPFIND', 'QUERY', 'get', 'BREW', 'PRI', 'CONNECT'];
const ODD_IDS = [
  '.',
  '..',
  '%2e%2e',
  '%00',
  'a'.repeat(65),
  'none',
  '%F0%9F%92%A4',
  '%',
  'a%2Fb',
  "x'--",
  '-1',
  '__proto__',
  'constructor',
];
const ODD_HOSTS = ['', 'a b', '[::1', 'x'.repeat(3_000), 'a:99999', '%zz', '"', 'sandman', '127.0.0.1'];
const ODD_TYPES = ['application/json', 'application/json; charset=utf-16', 'text/plain', 'multipart/form-data', 'x', ''];
const FORM_TYPE = 'application/x-www-form-urlencoded';
const ODD_QUERIES = [
  'limit=0',
  'limit=1e9',
  'cursor=AAAA',
  'status=x',
  'wait=50ms',
  'wait=-1',
  'a[b]=c',
  '%',
  '&'.repeat(50),
  'jobsPerPage=100000',
];
const ODD_BODIES = [
  '',
  '{',
  'null',
  '[]',
  '"x"',
  '{}',
  '{"message":"hello"}',
  `{"message":${'['.repeat(2_000)}${']'.repeat(2_000)}}`,
  '{"__proto__":{"x":1},"message":1}',
  '{"events":[]}',
  '{"events":[{"uuid":"none"},{"userId":"nobody"},5,null,{"at":"x"}]}',
  `{"events":[${'{"uuid":"none"},'.repeat(1_500)}{}]}`,
  '{"for":"1m"}',
  '{"for":"999d"}',
  '{"until":"2020-01-01T00:00:00Z"}',
  '{"policy":"none"}',
  '{"policy":{"sleepAfter":"1h","deleteAfter":"never"}}',
  '{"policy":{"sleepAfter":1e400,"deleteAfter":-1}}',
  '{"kind":"background"}',
  '{"at":"9999-12-31T23:59:59.999Z"}',
  '{"at":"0000-00-00T00:00:00Z"}',
  '{"userId":"somebody else"}',
  `{"userId":"${'u'.repeat(300)}"}`,
  '{"userId":"\\ud800"}',
  '\uFEFF{"kind":"user"}',
  '\xff\xfe\x00',
  'user=olga&password=wrong',
  'x'.repeat(70_000),
];

/** Valid bodies, by the end of the path. */
const FITTING: readonly (readonly [path: RegExp, body: (lane: Lane) => string])[] = [
  [/\/chat$/, () => '{"message":"hello"}'],
  [/\/hold$/, () => '{"for":"1m"}'],
  [/\/v1\/activity$/, ({ uuid, userId }) => JSON.stringify({ events: [{ uuid }, { userId, kind: 'background' }, { uuid: 'none' }] })],
  [/\/activity$/, () => '{"kind":"user"}'],
  [/\/v1\/sessions$/, ({ userId }) => JSON.stringify({ userId, policy: POLICY })],
  [/\/v1\/sessions\/[^/]+$/, ({ userId }) => JSON.stringify({ userId })],
];

interface Lane {
  /** Replaced by another one after the session was deleted. */
  uuid: string;
  readonly userId: string;
}

/** Builds one request as bytes, from one of the target's callers to one of its routes, usually with something malformed in it. */
function requestOf(random: Random, { routes, callers }: Target, lane: Lane, isLast: boolean): string {
  const { uuid, userId } = lane;
  const odd = (probability: number) => random.chance(probability);
  let [method, path] = random.pick(routes) as [string, string];
  const id = odd(0.3) ? random.pick(ODD_IDS) : uuid;
  const user = odd(0.3) ? random.pick(ODD_IDS) : userId;
  path = path.replace('{uuid}', id).replace('{userId}', user);
  if (odd(0.1)) method = random.pick(ODD_METHODS);
  if (odd(0.15)) path += `${path.includes('?') ? '&' : '?'}${random.pick(ODD_QUERIES)}`;
  if (odd(0.03))
    path = random.pick([`/${path}`, `http://elsewhere${path}`, '*', `${path}/`, path.toUpperCase(), `${path}${'/x'.repeat(900)}`]);
  const head = [`${method} ${path} ${odd(0.02) ? random.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/9']) : 'HTTP/1.1'}`];
  if (!odd(0.02)) head.push(`host: ${odd(0.1) ? random.pick(ODD_HOSTS) : 'sandman'}`);
  head.push(random.pick(callers));
  if (odd(0.05)) head.push(random.pick(['expect: 100-continue', 'expect: x', 'upgrade: websocket\r\nconnection: upgrade', 'te: trailers']));
  if (odd(0.03)) head.push(`x-long: ${'x'.repeat(random.pick([100, 9_000, 20_000]))}`);
  if (odd(0.03)) head.push('accept: text/html', `origin: ${random.pick(['null', 'http://elsewhere', 'x'])}`, 'sec-fetch-site: cross-site');
  if (odd(0.02)) head.push(`last-event-id: ${random.pick(['0-0', 'x', '1-1_2-2', '9'.repeat(500)])}`);
  if (isLast) head.push('connection: close');
  const fitting = FITTING.find(([form]) => form.test(path))?.[1];
  const body = method === 'GET' && !odd(0.1) ? '' : fitting && odd(0.5) ? fitting(lane) : random.pick(ODD_BODIES);
  if (body === '' && odd(0.9)) return `${head.join('\r\n')}\r\n\r\n`;
  head.push(
    `content-type: ${odd(0.2) ? random.pick([...ODD_TYPES, FORM_TYPE]) : body.startsWith('user=') ? FORM_TYPE : 'application/json'}`,
  );
  if (odd(0.05)) head.push(`content-encoding: ${random.pick(['gzip', 'br', 'x'])}`);
  const bytes = Buffer.byteLength(body, 'latin1');
  if (odd(0.15)) {
    const size = odd(0.2) ? 'zz' : bytes.toString(16);
    return `${head.join('\r\n')}\r\ntransfer-encoding: chunked\r\n\r\n${size}\r\n${body}\r\n${odd(0.2) ? '' : '0\r\n\r\n'}`;
  }
  const length = odd(0.1) ? random.pick([0, 1, bytes + 1, bytes + 1_000, -1, 5e9, 'x']) : bytes;
  return `${head.join('\r\n')}\r\ncontent-length: ${length}\r\n\r\n${body}`;
}

/**
 * Sends bytes, in pieces or at once, and reads until the connection is closed. Does not wait for the end of an event stream.
 *
 * @returns the statuses in order, or null if neither an end nor a stream came within `HANG_MS`
 */
function exchange(port: number, pieces: readonly string[]): Promise<{ statuses: number[]; text: string } | null> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1');
    const statuses = () => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
    const hang = setTimeout(() => {
      resolve(null);
      socket.destroy();
    }, HANG_MS);
    // Ends the connection only after a pause: an incomplete request must be ended, but ending early would abort a complete one.
    let quiet: NodeJS.Timeout | undefined;
    const waitForMore = () => {
      clearTimeout(quiet);
      quiet = setTimeout(() => socket.end(), QUIET_MS);
    };
    const end = () => {
      clearTimeout(hang);
      clearTimeout(quiet);
      resolve({ statuses: statuses(), text });
      socket.destroy();
    };
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
      waitForMore();
      if (/content-type: text\/event-stream/i.test(text)) end();
    });
    socket.on('error', () => {});
    socket.on('close', end);
    socket.on('connect', async () => {
      for (const piece of pieces) {
        if (socket.destroyed) return;
        socket.write(piece, 'latin1');
        await new Promise((next) => setImmediate(next));
      }
      waitForMore();
    });
  });
}

const recordOf = (uuid: string) => client.hgetall(`{${stack.prefix}:0}:session:${uuid}`);

/** Waits until the lane's session exists and its record no longer changes. Returns the record. */
async function settled(lane: Lane): Promise<string> {
  const record = await waitFor(
    `the session of ${lane.userId} is settled`,
    async () => {
      const { uuid } = lane;
      const { status, body } = await stack.call<{ status: string }>('GET', `/v1/sessions/${uuid}`);
      if (status === 404 || status === 410 || body.status === 'deleted') {
        lane.uuid = (await stack.create(lane.userId, POLICY)).uuid;
        return null;
      }
      if (body.status !== 'active' && body.status !== 'sleeping') return null;
      const record = await recordOf(uuid);
      // A call is in flight, a status read is due, or the session is to be deleted.
      if (record.t || record.v || record.w === 'gone') return null;
      const before = JSON.stringify(record);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return before === JSON.stringify(await recordOf(uuid)) ? before : null;
    },
    30_000,
  );
  return record as string;
}

/** Returns whether all `count` requests were answered and refused. */
function isRefused(answer: { readonly statuses: readonly number[] } | null, count: number): boolean {
  const final = answer?.statuses.filter((status) => status >= 200) ?? [];
  return final.length === count && final.every((status) => status >= 400);
}

/** Returns whether a server may answer with this status. Of the 5xx, only 502 to 504 are allowed, whatever it receives. */
const isAllowed = (status: number) => (status >= 100 && status < 500) || (status >= 502 && status <= 504);

describe('whatever is sent to the API and the dashboard', { timeout: 600_000 }, () => {
  it(`${CASES} connections with seed ${SEED}: no fault, no hang, and what is refused changes nothing`, async () => {
    const byStatus = new Map<string, number>();
    const findings: string[] = [];
    let sent = 0;
    const run = async (number: number) => {
      const lane: Lane = { uuid: 'none', userId: `fuzzer-${number}` };
      for (let index = number; index < CASES; index += LANES) {
        const random = new Random(SEED * 1_000_003 + index);
        const target = random.pick(targets);
        const count = random.chance(0.2) ? random.between(2, 5) : 1;
        const before = await settled(lane);
        const text = Array.from({ length: count }, (_, i) => requestOf(random, target, lane, i === count - 1)).join('');
        const cut = random.chance(0.2) ? random.between(1, text.length) : text.length;
        const send = () => exchange(target.port, [text.slice(0, cut), text.slice(cut)].filter(Boolean));
        const answer = await send();
        sent += count;
        const found = (what: string) => findings.push(`${what} (case ${index}, ${target.name}): ${JSON.stringify(text.slice(0, 600))}`);
        if (answer === null) {
          found('no answer and no end');
          continue;
        }
        for (const status of answer.statuses) {
          const key = `${target.name} ${status}`;
          byStatus.set(key, (byStatus.get(key) ?? 0) + 1);
          if (!isAllowed(status)) found(`answered ${status}`);
        }
        if (!isRefused(answer, count) || before === JSON.stringify(await recordOf(lane.uuid))) continue;
        // A request of an earlier case may still have been in flight, so the case is repeated before it counts.
        const settledAgain = await settled(lane);
        const again = await send();
        const after = JSON.stringify(await recordOf(lane.uuid));
        if (isRefused(again, count) && after !== settledAgain) found(`refused, and changed ${settledAgain} to ${after}`);
      }
    };
    await Promise.all(Array.from({ length: LANES }, (_, number) => run(number)));
    const statuses = Object.fromEntries([...byStatus].sort());
    console.log(
      `fuzz: seed ${SEED}, ${CASES} connections, ${sent} requests, findings ${findings.length}, answers ${JSON.stringify(statuses)}`,
    );
    expect(findings).toEqual([]);
    // The processes are alive and answer.
    for (const { port } of targets) expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    // The seed must reach successes and refusals of both servers.
    for (const status of ['api 200', 'api 202', 'api 400', 'api 401', 'api 404', 'api 413', 'api 431', 'dashboard 200', 'dashboard 401']) {
      expect(byStatus.get(status) ?? 0, status).toBeGreaterThan(0);
    }
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type AppProcess,
  type FaultProxy,
  freePort,
  type RedisServer,
  startApp,
  startFaultProxy,
  startRedis,
  waitFor,
} from '@sandman/sandbox';
import { Redis } from 'ioredis';

const API_KEY = 'promises-api-key-0123456789';
const SIM_KEY = 'promises-session-manager-key';
const PREFIX = 'promises';
export const TAG = `{${PREFIX}:0}`;
/** How often Redis' clock is written to its AOF, in ms. Each other write in the AOF lies between two of these. */
const CLOCK_MS = 10;
export const CLOCK_KEY = 'promises-clock';
/** `SESSION_MANAGER_TIMEOUT + LATE_EFFECT_BOUND` of these processes, in ms. */
export const DOUBT_MS = 4_000;
/** The length of a call's lease after its last renewal, in ms. */
export const LEASE_MS = 8_000;

/** Something failed from `from` to `to`, in ms since the epoch. */
export interface FaultPeriod {
  readonly kind: string;
  readonly from: number;
  readonly to: number;
}

/** No ping could succeed from `from` (all targets were down) to `to` (a ping was still refused). */
export interface PingOutage {
  readonly kind: 'redis' | 'apis';
  readonly from: number;
  readonly to: number;
}

/** A worker was stopped meanwhile. Redis' answers to it were delayed by `reply` ms. */
export interface WorkerStop {
  readonly from: number;
  readonly to: number;
  readonly reply: number;
}

interface Api {
  readonly url: string;
  readonly process: AppProcess;
}

/** Real processes on their own Redis, each behind a proxy, with a log of the faults applied to them. */
export class ProxiedStack {
  readonly faults: FaultPeriod[] = [];
  readonly outages: PingOutage[] = [];
  readonly stopped: WorkerStop[] = [];
  /** When an API, a worker or Redis was killed, in ms since the epoch. */
  readonly kills: { readonly what: 'api' | 'worker' | 'redis'; readonly at: number }[] = [];
  readonly dir = mkdtempSync(join(tmpdir(), 'sandman-promises-'));
  apis: Api[] = [];
  workers: AppProcess[] = [];
  redis!: RedisServer;
  redisProxy!: FaultProxy;
  simProxy!: FaultProxy;
  /** A connection to Redis that bypasses its proxy. */
  redisDirect!: Redis;
  #sim!: AppProcess;
  #simUrl = '';
  #clock: NodeJS.Timeout | undefined;

  async start(apis: number, workers: number): Promise<void> {
    this.redis = await startRedis({ aof: true, dir: this.dir });
    this.redisProxy = await startFaultProxy({ host: '127.0.0.1', port: Number(new URL(this.redis.url).port) });
    this.redisDirect = new Redis(this.redis.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
    this.redisDirect.on('error', () => {});
    // With `no`, Redis always writes to the AOF before it answers. With `everysec`, a slow disk may postpone that by up to 2 s.
    this.redisDirect.on('ready', () => {
      this.redisDirect.config('SET', 'appendfsync', 'no', 'auto-aof-rewrite-percentage', '0').catch(() => {});
    });
    const script = "local t = redis.call('TIME') redis.call('SET', KEYS[1], t[1] * 1000 + math.floor(t[2] / 1000))";
    this.#clock = setInterval(() => {
      if (this.redisDirect.status === 'ready') this.redisDirect.eval(script, 1, CLOCK_KEY).catch(() => {});
    }, CLOCK_MS);
    const port = await freePort();
    this.#simUrl = `http://127.0.0.1:${port}`;
    this.#sim = startApp('session-manager-sim', { HOST: '127.0.0.1', SIM_PORT: `${port}`, SIM_API_KEY: SIM_KEY });
    await up(`${this.#simUrl}/healthz`);
    this.simProxy = await startFaultProxy({ host: '127.0.0.1', port });
    await Promise.all([...Array.from({ length: apis }, () => this.addApi()), ...Array.from({ length: workers }, () => this.addWorker())]);
  }

  #env(): Record<string, string> {
    return {
      REDIS_URL: `redis://127.0.0.1:${this.redisProxy.port}`,
      KEY_PREFIX: PREFIX,
      HOST: '127.0.0.1',
      SESSION_MANAGER_URL: `http://127.0.0.1:${this.simProxy.port}`,
      SESSION_MANAGER_API_KEY: SIM_KEY,
      SESSION_MANAGER_TIMEOUT: '2s',
      LATE_EFFECT_BOUND: '2s',
      LOG_LEVEL: 'error',
    };
  }

  /** Starts an API. Users may reach it before it is up, as happens after a replacement. */
  async addApi(): Promise<void> {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    this.apis.push({ url, process: startApp('api', { ...this.#env(), PORT: `${port}`, API_KEYS: API_KEY }) });
    await up(`${url}/readyz`);
  }

  async addWorker(): Promise<void> {
    const port = await freePort();
    this.workers.push(startApp('worker', { ...this.#env(), METRICS_PORT: `${port}` }));
    await up(`http://127.0.0.1:${port}/readyz`);
  }

  /** Kills the API with kill -9 and waits until it is dead. */
  async killApi(api: Api): Promise<void> {
    this.kills.push({ what: 'api', at: Date.now() });
    api.process.kill('SIGKILL');
    await api.process.exited;
    this.apis = this.apis.filter((other) => other !== api);
  }

  async killWorker(worker: AppProcess): Promise<void> {
    this.kills.push({ what: 'worker', at: Date.now() });
    worker.kill('SIGKILL');
    await worker.exited;
    this.workers = this.workers.filter((other) => other !== worker);
  }

  async killRedis(): Promise<void> {
    this.kills.push({ what: 'redis', at: Date.now() });
    await this.redis.kill();
  }

  /** Waits until `calls` calls were begun in the last `ms`. Redis' answers to them are still delayed by the proxy. */
  async untilCallsBegin(calls: number, ms: number): Promise<void> {
    const script = `
      local t, found = redis.call('TIME'), 0
      local now = t[1] * 1000 + math.floor(t[2] / 1000)
      for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
        if (tonumber(redis.call('HGET', key, 'actionUntil')) or 0) > now + ARGV[2] then found = found + 1 end
      end
      return found`;
    const begun = () => this.redisDirect.eval(script, 0, `${TAG}:session:*`, LEASE_MS - ms);
    await waitFor(`${calls} calls are begun`, async () => Number(await begun()) >= calls, 5_000).catch(() => {});
  }

  /** Logs a fault that lasts as long as `what` takes. */
  async fault(kind: string, what: () => Promise<unknown>): Promise<void> {
    const from = Date.now();
    try {
      await what();
    } finally {
      this.faults.push({ kind, from, to: Date.now() });
    }
  }

  /** Stops pings with `take`, restores them with `bring` after `ms`, and logs when a ping succeeds again. */
  async outage(kind: PingOutage['kind'], ms: number, take: () => Promise<unknown>, bring: () => Promise<unknown>): Promise<void> {
    await take();
    const from = Date.now();
    await pause(ms);
    const back = bring();
    let to = Date.now();
    for (let open = false; !open; ) {
      const askedAt = Date.now();
      // The session does not exist, but an API that answers 404 has asked Redis.
      const answers = await Promise.all(this.apis.map(({ url }) => this.request(url, 'POST', '/v1/sessions/nobody/activity')));
      open = answers.some(({ status }) => status === 404);
      if (!open) to = askedAt;
      await pause(5);
    }
    await back;
    this.outages.push({ kind, from, to });
  }

  /** @returns status 0 if there was no answer */
  async request<T>(base: string, method: string, path: string, body?: unknown): Promise<{ status: number; body: T | null }> {
    const headers = { 'x-api-key': API_KEY, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    try {
      const answer = await fetch(base + path, {
        method,
        headers,
        signal: AbortSignal.timeout(5_000),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: (await answer.json()) as T };
    } catch {
      return { status: 0, body: null };
    }
  }

  /** Sends a request to the session-manager directly, not through its proxy. */
  async sim<T>(method: string, path: string, body?: unknown): Promise<T> {
    const headers = { 'x-api-key': SIM_KEY, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const answer = await fetch(this.#simUrl + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  async stop(): Promise<void> {
    clearInterval(this.#clock);
    this.redisDirect?.disconnect();
    const all = [...this.apis.map((api) => api.process), ...this.workers, this.#sim].filter((app) => app !== undefined);
    for (const app of all) app.kill('SIGKILL');
    await Promise.all(all.map((app) => app.exited));
    await Promise.all([this.redisProxy?.close(), this.simProxy?.close()]);
    await this.redis?.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

async function up(url: string): Promise<void> {
  await waitFor(`${url} answers`, async () => (await fetch(url).catch(() => null))?.ok, 60_000);
}

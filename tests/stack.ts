import { randomUUID } from 'node:crypto';
import { type AppProcess, freePort, startApp, waitFor } from '@sandman/sandbox';

/** The time limit for a process to answer for the first time, in ms: on a busy machine its start takes long. */
export const START_MS = 55_000;

export const API_KEY = 'test-api-key-0123456789';
const SIM_KEY = 'test-session-manager-key';
export const OPERATOR = { user: 'olga', password: 'operator-secret' };
export const VIEWER = { user: 'viktor', password: 'viewer-secret' };

export interface LoggedCall {
  readonly at: number;
  readonly call: string;
  readonly uuid: string;
  readonly status: number;
  readonly doneAt: number;
  readonly traceparent: string;
}

export interface SessionBody {
  readonly uuid: string;
  readonly userId: string;
  readonly status: string;
  readonly lastActivity: string;
  readonly sleepAt: string | null;
  readonly deleteAt: string | null;
  readonly problem: { failures: number } | null;
}

export interface ApiAnswer<T> {
  readonly status: number;
  readonly body: T;
  readonly headers: Headers;
}

/** Starts real processes on a real Redis, under a key prefix of their own. */
export class TestStack {
  readonly apis: AppProcess[] = [];
  readonly workers: AppProcess[] = [];
  readonly apiUrls: string[] = [];
  /** The URL of each worker's metrics and health endpoints. */
  readonly ops: string[] = [];
  readonly prefix = `test-${randomUUID()}`;
  readonly #redisUrl: string;
  readonly #env: Record<string, string>;
  readonly #others: AppProcess[] = [];
  #sim = '';
  #turn = 0;

  /** @param env further variables for the APIs and workers */
  constructor(redisUrl: string, env: Record<string, string> = {}) {
    this.#redisUrl = redisUrl;
    this.#env = { ...env };
  }

  /** Sets further variables for the APIs and workers that are started from now on. */
  set(env: Record<string, string>): void {
    Object.assign(this.#env, env);
  }

  async start({ apis = 1, workers = 1 }): Promise<this> {
    const port = await freePort();
    this.#sim = `http://127.0.0.1:${port}`;
    const sim = startApp('session-manager-sim', { HOST: '127.0.0.1', SIM_PORT: `${port}`, SIM_API_KEY: SIM_KEY });
    this.#others.push(sim);
    await Promise.all([
      this.#up(sim, `${this.#sim}/healthz`),
      ...Array.from({ length: apis }, () => this.addApi()),
      ...Array.from({ length: workers }, () => this.addWorker()),
    ]);
    return this;
  }

  /** The variables that every process of the stack gets. */
  get environment(): Record<string, string> {
    return {
      REDIS_URL: this.#redisUrl,
      KEY_PREFIX: this.prefix,
      HOST: '127.0.0.1',
      SESSION_MANAGER_URL: this.#sim,
      SESSION_MANAGER_API_KEY: SIM_KEY,
      // Tests count calls, so the patrol is off unless a test turns it on.
      PATROL_RATE: '0',
      ...this.#env,
    };
  }

  /**
   * @param port a free one by default
   * @param env further variables
   */
  async addApi(port?: number, env: Record<string, string> = {}): Promise<AppProcess> {
    port ??= await freePort();
    const api = startApp('api', { API_KEYS: API_KEY, ...this.environment, PORT: `${port}`, ...env });
    this.apis.push(api);
    this.apiUrls.push(`http://127.0.0.1:${port}`);
    await this.#up(api, `http://127.0.0.1:${port}/readyz`);
    return api;
  }

  /** @param env further variables */
  async addWorker(env: Record<string, string> = {}): Promise<AppProcess & { ops: string }> {
    const port = await freePort();
    const worker = startApp('worker', { ...this.environment, METRICS_PORT: `${port}`, ...env });
    this.workers.push(worker);
    this.ops.push(`http://127.0.0.1:${port}`);
    await this.#up(worker, `http://127.0.0.1:${port}/readyz`);
    return Object.assign(worker, { ops: `http://127.0.0.1:${port}` });
  }

  /** @param env further variables */
  async addDashboard(env: Record<string, string> = {}): Promise<AppProcess & { url: string }> {
    const port = env.DASHBOARD_PORT ?? (await freePort());
    const url = `http://127.0.0.1:${port}`;
    const { SESSION_MANAGER_URL: _, SESSION_MANAGER_API_KEY: __, ...common } = this.environment;
    const login = { DASHBOARD_USER: OPERATOR.user, DASHBOARD_PASSWORD: OPERATOR.password };
    const viewer = { DASHBOARD_VIEWER_USER: VIEWER.user, DASHBOARD_VIEWER_PASSWORD: VIEWER.password };
    const dashboard = startApp('dashboard', { ...common, ...login, ...viewer, DASHBOARD_PORT: `${port}`, ...env });
    this.#others.push(dashboard);
    await this.#up(dashboard, `${url}/readyz`);
    return Object.assign(dashboard, { url });
  }

  async #up(app: AppProcess, url: string): Promise<void> {
    const ended = app.exited.then((code) => {
      throw new Error(`what should answer ${url} ended with code ${code}: ${app.stderr()}`);
    });
    await Promise.race([ended, waitFor(`${url} answers`, async () => (await fetch(url).catch(() => null))?.ok, START_MS)]);
  }

  async stop(): Promise<void> {
    const all = [...this.workers, ...this.apis, ...this.#others];
    for (const app of all) app.kill('SIGKILL');
    await Promise.all(all.map((app) => app.exited));
  }

  /** Calls the APIs, each in turn. */
  async call<T = SessionBody>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<ApiAnswer<T>> {
    const base = this.apiUrls[this.#turn++ % this.apiUrls.length] ?? '';
    const answer = await fetch(base + path, {
      method,
      headers: { 'x-api-key': API_KEY, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      body: (text && /json/.test(answer.headers.get('content-type') ?? '') ? JSON.parse(text) : text) as T,
      headers: answer.headers,
    };
  }

  async create(userId: string, policy?: unknown): Promise<SessionBody> {
    const answer = await this.call('POST', '/v1/sessions', { userId, ...(policy ? { policy } : {}) });
    if (answer.status !== 201) throw new Error(`create answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async ping(uuid: string): Promise<SessionBody> {
    const answer = await this.call('POST', `/v1/sessions/${uuid}/activity`);
    if (answer.status !== 202) throw new Error(`ping answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async status(uuid: string): Promise<string> {
    const { status, body } = await this.call('GET', `/v1/sessions/${uuid}`);
    return status === 410 ? 'deleted' : body.status;
  }

  until(uuid: string, status: string, timeout?: number): Promise<true> {
    return waitFor(`${uuid} is ${status}`, async () => (await this.status(uuid)) === status, timeout) as Promise<true>;
  }

  async sim<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(this.#sim + path, {
      method,
      headers: { 'x-api-key': SIM_KEY, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  /** Returns the session-manager's call log for one session, limited to the named calls if any are given. */
  async calls(uuid: string, ...names: string[]): Promise<LoggedCall[]> {
    const { items } = await this.sim<{ items: LoggedCall[] }>('GET', '/sim/journal');
    return items.filter((entry) => entry.uuid === uuid && (names.length === 0 || names.includes(entry.call)));
  }

  fault(rule: Record<string, unknown>): Promise<{ id: number }> {
    return this.sim('POST', '/sim/faults', rule);
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { freePort } from '@sandman/testing';

/** How long a process may take to come up, and to go away, in ms. */
const START_MS = 30_000;
const STOP_MS = 30_000;

/** The real processes, on this machine. */
export interface Stack {
  readonly api: string;
  readonly apiKey: string;
  /** The example chat backend, which its users talk to. */
  readonly chatBackend: string;
  readonly sessionManager: string;
  readonly sessionManagerKey: string;
  readonly dashboard: string;
  readonly dashboardPassword: string;
  /** Rejects when one of them ends by itself. */
  readonly broken: Promise<never>;
  /** SIGTERM to each, callers before those they call: last calls still find somebody. */
  stop(): Promise<void>;
}

export interface StackOptions {
  readonly redisUrl: string;
  /** The ports of the contract where they are free, else any; without it any. */
  readonly usualPorts: boolean;
  /** Further variables for the API and the worker. */
  readonly env?: Record<string, string>;
  /** Where the processes' logs go. */
  readonly logs: 'inherit' | 'ignore';
}

const DASHBOARD_USER = 'admin';

function secret(): string {
  return randomBytes(24).toString('base64url');
}

/** `wanted` when nobody listens there, else any free port. */
function portOr(wanted: number): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(freePort()));
    server.listen(wanted, '127.0.0.1', () => server.close(() => resolve(wanted)));
  });
}

/** @param folder of the process, from the root */
function run(folder: string, env: Record<string, string>, logs: StackOptions['logs']): ChildProcess {
  const entry = fileURLToPath(new URL(`../../../${folder}/src/main.ts`, import.meta.url));
  // Not our own environment: a process sees what it is configured by, and nothing else.
  return spawn(process.execPath, [entry], { env: { PATH: process.env.PATH ?? '', ...env }, stdio: ['ignore', logs, 'inherit'] });
}

async function up(url: string, broken: Promise<never>): Promise<void> {
  const deadline = Date.now() + START_MS;
  const ready = async () => {
    while (Date.now() < deadline) {
      const answer = await fetch(url).catch(() => null);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${url} did not answer within ${START_MS / 1_000} s`);
  };
  await Promise.race([ready(), broken]);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(force);
}

/** Starts a simulated session-manager, an API, a worker, a dashboard and a chat backend, and waits until all are ready. */
export async function startStack({ redisUrl, usualPorts, env = {}, logs }: StackOptions): Promise<Stack> {
  const [apiPort, dashboardPort, chatPort, simPort, metricsPort] = await Promise.all(
    [3000, 3001, 3002, 4000, 9464].map((port) => (usualPorts ? portOr(port) : freePort())),
  );
  const apiKey = secret();
  const sessionManagerKey = secret();
  const dashboardPassword = secret();
  const sessionManager = `http://127.0.0.1:${simPort}`;
  const common = { REDIS_URL: redisUrl, HOST: '127.0.0.1' };
  const tracing = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('OTEL_')));
  const driving = { ...common, ...tracing, SESSION_MANAGER_URL: sessionManager, SESSION_MANAGER_API_KEY: sessionManagerKey, ...env };

  const sim = run('apps/session-manager-sim', { HOST: '127.0.0.1', SIM_PORT: `${simPort}`, SIM_API_KEY: sessionManagerKey }, 'ignore');
  const api = run('apps/api', { ...driving, PORT: `${apiPort}`, API_KEYS: apiKey }, logs);
  const worker = run('apps/worker', { ...driving, METRICS_PORT: `${metricsPort}` }, logs);
  const dashboard = run(
    'apps/dashboard',
    { ...common, DASHBOARD_PORT: `${dashboardPort}`, DASHBOARD_USER, DASHBOARD_PASSWORD: dashboardPassword },
    logs,
  );
  const urls = {
    api: `http://127.0.0.1:${apiPort}`,
    dashboard: `http://127.0.0.1:${dashboardPort}`,
    chatBackend: `http://127.0.0.1:${chatPort}`,
  };
  const chatEnv = { HOST: '127.0.0.1', PORT: `${chatPort}`, SANDMAN_URL: urls.api, SANDMAN_API_KEY: apiKey };
  const chatBackend = run('examples/chat-backend', chatEnv, logs);
  const children = { 'session-manager': sim, api, worker, dashboard, 'chat backend': chatBackend };

  let stopping = false;
  const broken = new Promise<never>((_, reject) => {
    for (const [name, child] of Object.entries(children)) {
      child.once('exit', (code) => stopping || reject(new Error(`the ${name} process ended by itself, with code ${code}`)));
    }
  });
  broken.catch(() => {});
  const stop = async () => {
    stopping = true;
    await end(chatBackend);
    await Promise.all([worker, api, dashboard].map(end));
    await end(sim);
  };
  try {
    const probes = [
      `${sessionManager}/healthz`,
      `${urls.api}/readyz`,
      `http://127.0.0.1:${metricsPort}/readyz`,
      `${urls.dashboard}/readyz`,
      `${urls.chatBackend}/healthz`,
    ];
    await Promise.all(probes.map((url) => up(url, broken)));
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...urls, apiKey, sessionManager, sessionManagerKey, dashboardPassword, broken, stop };
}

export { DASHBOARD_USER };

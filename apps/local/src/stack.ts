import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer, isIPv6 } from 'node:net';
import { fileURLToPath } from 'node:url';
import { freePort } from '@sandman/sandbox';

/** How long a process may take to become ready, and to exit, in ms. */
const START_MS = 30_000;
const STOP_MS = 30_000;

/** All processes of Sandman, running on this machine. */
export interface Stack {
  readonly api: string;
  readonly apiKey: string;
  /** The address of the example chat backend. */
  readonly chatBackend: string;
  readonly sessionManager: string;
  readonly sessionManagerKey: string;
  readonly dashboard: string;
  readonly dashboardUser: string;
  readonly dashboardPassword: string;
  /** Rejects when a process exits without being stopped. */
  readonly unexpectedExit: Promise<never>;
  /** Sends SIGTERM to each process, callers before the processes they call, so that their last calls are still answered. */
  stop(): Promise<void>;
}

export interface StackOptions {
  readonly redisUrl: string;
  /** Whether to use the usual ports where they are free; otherwise any free ones. A variable that sets a port takes precedence. */
  readonly usualPorts: boolean;
  /** Environment variables for all processes; each ignores those it does not know. Missing keys and passwords are generated. */
  readonly env: NodeJS.ProcessEnv;
  /** Where the logs of the processes go. */
  readonly logs: 'inherit' | 'ignore';
}

function generateSecret(): string {
  return randomBytes(24).toString('base64url');
}

/** Returns `wanted` if that port is free, else any free port. */
function portOr(wanted: number): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(freePort()));
    server.listen(wanted, '127.0.0.1', () => server.close(() => resolve(wanted)));
  });
}

/** Returns the host to put into a URL to reach a process that listens on `host` from this machine. */
function reachable(host: string): string {
  if (host === '::' || host === '0.0.0.0') return '127.0.0.1';
  return isIPv6(host) ? `[${host}]` : host;
}

/** @param folder the folder of the process, from the root of the repository */
function startProcess(folder: string, env: NodeJS.ProcessEnv, logs: StackOptions['logs']): ChildProcess {
  const entry = fileURLToPath(new URL(`../../../${folder}/src/main.ts`, import.meta.url));
  return spawn(process.execPath, [entry], { env, stdio: ['ignore', logs, 'inherit'] });
}

async function untilUp(url: string, unexpectedExit: Promise<never>): Promise<void> {
  const deadline = Date.now() + START_MS;
  const ready = async () => {
    while (Date.now() < deadline) {
      const answer = await fetch(url).catch(() => null);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${url} did not answer within ${START_MS / 1_000} s`);
  };
  await Promise.race([ready(), unexpectedExit]);
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(force);
}

/**
 * Starts an API, a worker, a dashboard, a chat backend and, unless `SESSION_MANAGER_URL` is set, a simulated session-manager,
 * and waits until all are ready.
 */
export async function startStack({ redisUrl, usualPorts, env, logs }: StackOptions): Promise<Stack> {
  // With port 0 the process would choose a port that is not known here, so a free one is chosen instead.
  const portOf = async (usual: number, set = '0') => (set !== '' && set !== '0' ? set : usualPorts ? portOr(usual) : freePort());
  const [apiPort, dashboardPort, chatPort, simPort, metricsPort] = await Promise.all([
    portOf(3000, env.PORT),
    portOf(3001, env.DASHBOARD_PORT),
    portOf(3002),
    portOf(4000, env.SIM_PORT),
    portOf(9464, env.METRICS_PORT),
  ]);
  const listen = env.HOST || '127.0.0.1';
  const host = reachable(listen);
  const apiKeys = env.API_KEYS || generateSecret();
  // The first of the comma-separated keys, without anything up to its last colon.
  const apiKey = apiKeys.split(',', 1)[0]!.trim().split(':').at(-1)!;
  const sessionManagerKey = env.SESSION_MANAGER_API_KEY || (env.SESSION_MANAGER_URL ? '' : env.SIM_API_KEY || generateSecret());
  const dashboardUser = env.DASHBOARD_USER || 'admin';
  const dashboardPassword = env.DASHBOARD_PASSWORD || generateSecret();
  const sessionManager = env.SESSION_MANAGER_URL || `http://${host}:${simPort}`;
  const common = { ...env, REDIS_URL: redisUrl, HOST: listen };
  const driving = { ...common, SESSION_MANAGER_URL: sessionManager, SESSION_MANAGER_API_KEY: sessionManagerKey };

  const sim = env.SESSION_MANAGER_URL
    ? null
    : startProcess('apps/session-manager-sim', { ...common, SIM_PORT: `${simPort}`, SIM_API_KEY: sessionManagerKey }, 'ignore');
  const api = startProcess('apps/api', { ...driving, PORT: `${apiPort}`, API_KEYS: apiKeys }, logs);
  const worker = startProcess('apps/worker', { ...driving, METRICS_PORT: `${metricsPort}` }, logs);
  const login = { DASHBOARD_USER: dashboardUser, DASHBOARD_PASSWORD: dashboardPassword };
  const dashboard = startProcess('apps/dashboard', { ...common, ...login, DASHBOARD_PORT: `${dashboardPort}` }, logs);
  const urls = {
    api: `http://${host}:${apiPort}`,
    dashboard: `http://${host}:${dashboardPort}`,
    chatBackend: `http://${host}:${chatPort}`,
  };
  const chatEnv = { ...common, PORT: `${chatPort}`, SANDMAN_URL: urls.api, SANDMAN_API_KEY: apiKey };
  const chatBackend = startProcess('examples/chat-backend', chatEnv, logs);
  const children = { ...(sim && { 'session-manager': sim }), api, worker, dashboard, 'chat backend': chatBackend };

  let stopping = false;
  const unexpectedExit = new Promise<never>((_, reject) => {
    for (const [name, child] of Object.entries(children)) {
      child.once('exit', (code) => stopping || reject(new Error(`the ${name} process ended by itself, with code ${code}`)));
    }
  });
  unexpectedExit.catch(() => {});
  const stop = async () => {
    stopping = true;
    await stopProcess(chatBackend);
    await Promise.all([worker, api, dashboard].map(stopProcess));
    if (sim) await stopProcess(sim);
  };
  try {
    const probes = [
      ...(sim ? [`${sessionManager}/healthz`] : []),
      `${urls.api}/readyz`,
      `http://${host}:${metricsPort}/readyz`,
      `${urls.dashboard}/readyz`,
      `${urls.chatBackend}/healthz`,
    ];
    await Promise.all(probes.map((url) => untilUp(url, unexpectedExit)));
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...urls, apiKey, sessionManager, sessionManagerKey, dashboardUser, dashboardPassword, unexpectedExit, stop };
}

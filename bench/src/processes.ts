import { type AppProcess, freePort, startApp, startEntry, waitFor } from '@sandman/testing';

export const API_KEY = 'bench-api-key-0123456789';
/** An address where nothing listens, for processes that never call the session-manager. */
const NOBODY = 'http://127.0.0.1:9';
const UP_MS = 30_000;
/** The queue for BullMQ without Sandman. */
export const BARE_QUEUE = 'bare';

/** A process that a benchmark started. */
export interface Running {
  readonly url: string;
  readonly pid: number;
  /** The time from its start until it was ready, in ms. */
  readonly upAfter: number;
  stop(): Promise<void>;
}

export interface Settings {
  readonly redisUrl: string;
  readonly prefix: string;
  readonly sessionManager?: string;
  readonly env?: Readonly<Record<string, string>>;
}

async function run(name: string, start: (port: number) => AppProcess, ready = '/readyz'): Promise<Running> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const from = performance.now();
  const process = start(port);
  const ended = process.exited.then((code) => {
    throw new Error(`${name} ended with code ${code}: ${process.stderr()}${process.stdout()}`);
  });
  await Promise.race([ended, waitFor(`${name} is up`, async () => (await fetch(url + ready).catch(() => null))?.ok, UP_MS)]);
  ended.catch(() => {});
  const stop = async () => {
    process.kill('SIGKILL');
    await process.exited.catch(() => {});
  };
  return { url, pid: process.pid, upAfter: performance.now() - from, stop };
}

function common({ redisUrl, prefix, sessionManager = NOBODY }: Settings, port: number) {
  const api = { PORT: `${port}`, API_KEYS: API_KEY, SESSION_MANAGER_URL: sessionManager, SESSION_MANAGER_API_KEY: 'none' };
  return { REDIS_URL: redisUrl, KEY_PREFIX: prefix, HOST: '127.0.0.1', LOG_LEVEL: 'warn', METRICS_PORT: `${port}`, ...api };
}

/** Starts Sandman's own API or worker. */
export function runSandman(app: 'api' | 'worker', settings: Settings): Promise<Running> {
  return run(app, (port) => startApp(app, { ...common(settings, port), ...settings.env }));
}

/** Starts a process that belongs to the benchmarks. */
export function runEntry(entry: string, settings: Settings): Promise<Running> {
  return run(entry, (port) => startEntry(new URL(`./${entry}.ts`, import.meta.url), { ...common(settings, port), ...settings.env }));
}

import { type AppProcess, freePort, startApp, startEntry, waitFor } from '@sandman/sandbox';

export const API_KEY = 'bench-api-key-0123456789';
/** An address where nothing listens, for processes that never call the session-manager. */
const UNUSED_ADDRESS = 'http://127.0.0.1:9';
const UP_MS = 30_000;
/** The queue for BullMQ without Sandman. */
export const BARE_QUEUE = 'bare';

/** A process that a benchmark started. */
export interface BenchProcess {
  readonly url: string;
  readonly pid: number;
  /** The time from its start until it was ready, in ms. */
  readonly upAfter: number;
  stop(): Promise<void>;
}

export interface ProcessSettings {
  readonly redisUrl: string;
  readonly prefix: string;
  readonly sessionManager?: string;
  readonly env?: Readonly<Record<string, string>>;
}

async function startProcess(name: string, start: (port: number) => AppProcess, ready = '/readyz'): Promise<BenchProcess> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const from = performance.now();
  const process = start(port);
  const ended = process.exited.then((code) => {
    throw new Error(`${name} ended with code ${code}: ${process.stderr()}${process.stdout()}`);
  });
  const answers = async () => (await fetch(url + ready, { signal: AbortSignal.timeout(UP_MS) }).catch(() => null))?.ok;
  const up = waitFor(`${name} is up at ${url}`, answers, UP_MS).catch((error) => {
    throw new Error(`${error.message}\n${process.stderr()}${process.stdout()}`);
  });
  await Promise.race([ended, up]);
  ended.catch(() => {});
  const stop = async () => {
    process.kill('SIGKILL');
    await process.exited.catch(() => {});
  };
  return { url, pid: process.pid, upAfter: performance.now() - from, stop };
}

function commonEnv({ redisUrl, prefix, sessionManager = UNUSED_ADDRESS }: ProcessSettings, port: number) {
  const api = { PORT: `${port}`, API_KEYS: API_KEY, SESSION_MANAGER_URL: sessionManager, SESSION_MANAGER_API_KEY: 'none' };
  return { REDIS_URL: redisUrl, KEY_PREFIX: prefix, HOST: '127.0.0.1', LOG_LEVEL: 'warn', METRICS_PORT: `${port}`, ...api };
}

/** Starts Sandman's own API or worker. */
export function runSandman(app: 'api' | 'worker', settings: ProcessSettings): Promise<BenchProcess> {
  return startProcess(app, (port) => startApp(app, { ...commonEnv(settings, port), ...settings.env }));
}

/** Starts a process that belongs to the benchmarks. */
export function runEntry(entry: string, settings: ProcessSettings): Promise<BenchProcess> {
  return startProcess(entry, (port) =>
    startEntry(new URL(`./${entry}.ts`, import.meta.url), { ...commonEnv(settings, port), ...settings.env }),
  );
}

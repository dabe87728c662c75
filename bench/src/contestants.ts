import { type AppProcess, freePort, startApp, startEntry, waitFor } from '@sandman/testing';
import { Redis } from 'ioredis';
import type { Context } from './benchmark.ts';
import { fillFleet, uuidOf } from './fleet.ts';
import { alarmsOf, type Way } from './ways.ts';

export const API_KEY = 'bench-api-key-0123456789';
/** Nobody is there: no ping calls the session-manager. */
const SESSION_MANAGER = { SESSION_MANAGER_URL: 'http://127.0.0.1:9', SESSION_MANAGER_API_KEY: 'none' };
const UP_MS = 30_000;

/** Coprime to any fleet's size that is not a multiple of it, so that pings come to all sessions and to none in the order of its making. */
const STRIDE = 7_919;

/** Who takes pings, and how. */
export interface Kind {
  readonly name: string;
  /** The floor sets no alarms, Sandman its own, a way its one. */
  readonly how: 'floor' | 'sandman' | Way;
  /** `ALARM_SLACK`, where it is not the default. */
  readonly slack?: string;
}

/** One process that takes pings, and a fleet of its own to be pinged. */
export class Contestant {
  readonly url: string;
  readonly #process: AppProcess;
  readonly #size: number;
  #turn = 0;

  private constructor(url: string, process: AppProcess, size: number) {
    this.url = url;
    this.#process = process;
    this.#size = size;
  }

  /** @param answer what the floor answers */
  static async start({ name, how, slack }: Kind, redisUrl: string, size: number, answer: string, context: Context): Promise<Contestant> {
    const prefix = `bench-${name.replaceAll(/[^a-z0-9]+/gi, '-')}-${size}`;
    context.progress(`${name}: ${size.toLocaleString('en')} sessions are being made`);
    const redis = new Redis(redisUrl, { enableAutoPipelining: true });
    const alarms = alarmsOf(how === 'floor' || how === 'sandman' ? null : how, redis, prefix);
    try {
      await fillFleet(redis, prefix, alarms, size, context);
    } finally {
      await alarms.close();
      redis.disconnect();
    }

    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const common = { REDIS_URL: redisUrl, KEY_PREFIX: prefix, HOST: '127.0.0.1', PORT: `${port}`, LOG_LEVEL: 'warn' };
    const api = { ...common, ...SESSION_MANAGER, API_KEYS: API_KEY };
    const process =
      how === 'floor'
        ? startEntry(new URL('./floor.ts', import.meta.url), { ...common, BENCH_ANSWER: answer })
        : how === 'sandman'
          ? startApp('api', { ...api, ...(slack === undefined ? {} : { ALARM_SLACK: slack }) })
          : startEntry(new URL('./api-of-a-way.ts', import.meta.url), { ...api, BENCH_WAY: how });
    const ended = process.exited.then((code) => {
      throw new Error(`${name} ended with code ${code}: ${process.stderr()}${process.stdout()}`);
    });
    await Promise.race([ended, waitFor(`${name} is up`, async () => (await fetch(`${url}/readyz`).catch(() => null))?.ok, UP_MS)]);
    ended.catch(() => {});
    return new Contestant(url, process, size);
  }

  /** The next session to ping: all of the fleet, one after the other, then again. */
  readonly next = (): string => {
    this.#turn = (this.#turn + STRIDE) % this.#size;
    return uuidOf(this.#turn);
  };

  async stop(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#process.exited.catch(() => {});
  }
}

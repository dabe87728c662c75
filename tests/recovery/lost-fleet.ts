import { randomUUID } from 'node:crypto';
import type { Status } from '@sandman/core';
import { Ledger, type LedgerSession } from '@sandman/ledger';
import { AlarmQueues } from '@sandman/queue';
import { RedisSessionStore } from '@sandman/store';
import {
  type AppProcess,
  type DatabaseServer,
  freePort,
  type RedisServer,
  startApp,
  startRedis,
  type TestDatabase,
} from '@sandman/testing';
import { Redis } from 'ioredis';
import { CLI, type Ended, type Running, sandmanHere, startProgram } from '../../packages/cli/src/cli.fixture.ts';
import { TestStack } from '../stack.ts';

/** What a test says of a session in the ledger, and of its pod. */
export interface Planted extends Partial<Omit<LedgerSession, 'uuid'>> {
  readonly status: Status;
  /** Null where there is none. */
  readonly replicas: number | null;
}

/** A ledger and pods, as they stand when Redis has been lost; Redis, API, worker and session-manager run. */
export class LostFleet implements AsyncDisposable {
  readonly stack: TestStack;
  readonly redis: Redis;
  readonly ledger: Ledger;
  readonly #server: RedisServer;
  readonly #database: TestDatabase;
  readonly #bookkeepers: AppProcess[] = [];

  private constructor(stack: TestStack, server: RedisServer, database: TestDatabase) {
    this.stack = stack;
    this.#server = server;
    this.#database = database;
    this.redis = new Redis(server.url);
    this.ledger = new Ledger(database.url);
  }

  static async start(databases: DatabaseServer, processes: { apis?: number; workers?: number } = {}): Promise<LostFleet> {
    const [server, database] = await Promise.all([startRedis(), databases.create()]);
    const fleet = new LostFleet(new TestStack(server.url), server, database);
    await Promise.all([fleet.stack.start(processes), fleet.ledger.migrate()]);
    return fleet;
  }

  /** Another empty place in the same Redis, of which no process knows. */
  elsewhere(shards = 1): { readonly prefix: string; readonly store: RedisSessionStore; readonly env: Record<string, string> } {
    const prefix = `elsewhere-${randomUUID()}`;
    return { prefix, store: this.store(prefix, shards), env: { ...this.env, KEY_PREFIX: prefix, SHARDS: `${shards}` } };
  }

  store(prefix = this.stack.prefix, shards = 1): RedisSessionStore {
    return new RedisSessionStore(this.redis, { prefix, shards, slack: 1 });
  }

  alarms(prefix = this.stack.prefix): AlarmQueues {
    return new AlarmQueues(this.redis, prefix, 1, () => {});
  }

  /** What the command line is given. */
  get env(): Record<string, string> {
    return { ...this.stack.environment, DATABASE_URL: this.#database.url };
  }

  /** Runs it, here. */
  run(args: readonly string[], env = this.env): Promise<Ended> {
    return sandmanHere(args, env);
  }

  /** Starts it as a process. */
  begin(args: readonly string[], env = this.env): Running {
    return startProgram(process.execPath, [CLI, ...args], env);
  }

  /** Runs it and reads its one document. */
  async document<T>(args: readonly string[], env = this.env): Promise<T & { readonly code: number | null; readonly stderr: string }> {
    const { code, stdout, stderr } = await this.run([...args, '--json'], env);
    return { ...(stdout ? (JSON.parse(stdout) as T) : ({} as T)), code, stderr };
  }

  /** A worker beside the others that keeps the ledger. */
  async addBookkeeper(): Promise<void> {
    this.#bookkeepers.push(startApp('worker', { ...this.env, METRICS_PORT: `${await freePort()}` }));
  }

  /** Puts sessions into the ledger and their pods into the session-manager. */
  async plant(planted: Readonly<Record<string, Planted>>): Promise<void> {
    const now = Date.now();
    const sessions = Object.entries(planted).map(([uuid, { replicas: _, ...session }]): LedgerSession => {
      const sleptAt = session.status === 'sleeping' ? now - 10_000 : 0;
      const common = { userId: 'ada', workspaceUrl: `https://${uuid}`, createdAt: now - 3_600_000, lastActivity: now - 20_000, sleptAt };
      return { uuid, policy: 'balanced', updatedAt: now, rev: 9, ...common, ...session };
    });
    for (let i = 0; i < sessions.length; i += 500) await this.ledger.write({ sessions: sessions.slice(i, i + 500) });
    const pods = Object.entries(planted).filter(([, { replicas }]) => replicas !== null);
    for (let i = 0; i < pods.length; i += 50) {
      await Promise.all(
        pods.slice(i, i + 50).map(([uuid, { replicas }]) => this.stack.sim('POST', '/sim/pods', { uuid, userId: 'ada', replicas })),
      );
    }
  }

  /** Empties the ledger, Redis and the session-manager's journal: what the next test begins with. */
  async clear(): Promise<void> {
    await this.#dismiss();
    await Promise.all([
      this.#database.ask('delete from user_sessions'),
      this.redis.flushall(),
      this.stack.sim('DELETE', '/sim/journal'),
      this.stack.sim('DELETE', '/sim/faults'),
    ]);
  }

  async statusInLedger(uuid: string): Promise<string | undefined> {
    return (await this.ledger.find([uuid]))[0]?.status;
  }

  async #dismiss(): Promise<void> {
    const all = this.#bookkeepers.splice(0);
    for (const one of all) one.kill('SIGKILL');
    await Promise.all(all.map((one) => one.exited));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dismiss();
    await this.stack.stop();
    await this.ledger.close();
    await this.#database.drop();
    this.redis.disconnect();
    await this.#server.stop();
  }
}

/** So many, by uuid. */
export function many(count: number, name: string, one: (i: number) => Planted): Record<string, Planted> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}-${String(i).padStart(5, '0')}`, one(i)]));
}

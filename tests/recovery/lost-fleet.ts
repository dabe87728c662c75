import { randomUUID } from 'node:crypto';
import type { Status } from '@sandman/core';
import { Ledger, type LedgerSession } from '@sandman/ledger';
import { AlarmQueues } from '@sandman/queue';
import {
  type AppProcess,
  type DatabaseServer,
  freePort,
  type RedisServer,
  startApp,
  startRedis,
  type TestDatabase,
} from '@sandman/sandbox';
import { RedisSessionStore } from '@sandman/store';
import { Redis } from 'ioredis';
import { CLI, type CommandResult, type RunningCommand, sandmanHere, startProgram } from '../../packages/cli/src/cli.fixture.ts';
import { TestStack } from '../stack.ts';

/** A session as a test plants it: its ledger row and its pod. */
export interface PlantedSession extends Partial<Omit<LedgerSession, 'uuid'>> {
  readonly status: Status;
  /** Null if there is no pod. */
  readonly replicas: number | null;
}

/** A ledger and pods as they are after Redis has been lost, with Redis, API, worker and session-manager running. */
export class LostFleet implements AsyncDisposable {
  readonly stack: TestStack;
  readonly redis: Redis;
  readonly ledger: Ledger;
  readonly #server: RedisServer;
  readonly #database: TestDatabase;
  readonly #ledgerWorkers: AppProcess[] = [];

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

  /** Returns another, empty key prefix in the same Redis, which no process uses. */
  unusedPrefix(shards = 1): { readonly prefix: string; readonly store: RedisSessionStore; readonly env: Record<string, string> } {
    const prefix = `elsewhere-${randomUUID()}`;
    return { prefix, store: this.store(prefix, shards), env: { ...this.env, KEY_PREFIX: prefix, SHARDS: `${shards}` } };
  }

  store(prefix = this.stack.prefix, shards = 1): RedisSessionStore {
    return new RedisSessionStore(this.redis, { prefix, shards, slack: 1 });
  }

  alarms(prefix = this.stack.prefix): AlarmQueues {
    return new AlarmQueues(this.redis, prefix, 1, () => {});
  }

  /** The environment of the command line. */
  get env(): Record<string, string> {
    return { ...this.stack.environment, DATABASE_URL: this.#database.url };
  }

  /** Runs the command line in this process. */
  run(args: readonly string[], env = this.env): Promise<CommandResult> {
    return sandmanHere(args, env);
  }

  /** Starts the command line as a process of its own. */
  startCli(args: readonly string[], env = this.env): RunningCommand {
    return startProgram(process.execPath, [CLI, ...args], env);
  }

  /** Runs the command line with `--json` and parses the one document that it writes. */
  async document<T>(args: readonly string[], env = this.env): Promise<T & { readonly code: number | null; readonly stderr: string }> {
    const { code, stdout, stderr } = await this.run([...args, '--json'], env);
    return { ...(stdout ? (JSON.parse(stdout) as T) : ({} as T)), code, stderr };
  }

  /** Starts one more worker that writes the ledger. */
  async addLedgerWorker(): Promise<void> {
    this.#ledgerWorkers.push(startApp('worker', { ...this.env, METRICS_PORT: `${await freePort()}` }));
  }

  /** Puts sessions into the ledger and their pods into the session-manager. */
  async plant(planted: Readonly<Record<string, PlantedSession>>): Promise<void> {
    const now = Date.now();
    const sessions = Object.entries(planted).map(([uuid, { replicas: _, ...session }]): LedgerSession => {
      const sleptAt = session.status === 'sleeping' ? now - 10_000 : 0;
      const common = { userId: 'ada', workspaceUrl: `https://${uuid}`, createdAt: now - 3_600_000, lastActivity: now - 20_000, sleptAt };
      return { uuid, policy: 'balanced', keepUntil: 0, updatedAt: now, rev: 9, ...common, ...session };
    });
    for (let i = 0; i < sessions.length; i += 500) await this.ledger.write({ sessions: sessions.slice(i, i + 500) });
    const pods = Object.entries(planted).filter(([, { replicas }]) => replicas !== null);
    for (let i = 0; i < pods.length; i += 50) {
      await Promise.all(
        pods.slice(i, i + 50).map(([uuid, { replicas }]) => this.stack.sim('POST', '/sim/pods', { uuid, userId: 'ada', replicas })),
      );
    }
  }

  /** Empties the ledger, Redis and the session-manager's call log for the next test. */
  async clear(): Promise<void> {
    await this.#stopLedgerWorkers();
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

  async #stopLedgerWorkers(): Promise<void> {
    const all = this.#ledgerWorkers.splice(0);
    for (const one of all) one.kill('SIGKILL');
    await Promise.all(all.map((one) => one.exited));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stopLedgerWorkers();
    await this.stack.stop();
    await this.ledger.close();
    await this.#database.drop();
    this.redis.disconnect();
    await this.#server.stop();
  }
}

/** Returns `count` sessions to plant, by uuid. */
export function manySessions(count: number, name: string, one: (i: number) => PlantedSession): Record<string, PlantedSession> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}-${String(i).padStart(5, '0')}`, one(i)]));
}

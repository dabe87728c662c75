import { type Intake, STATUSES } from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import { Keyspace } from './keys.ts';
import { decodeIntake, INTAKE_FIELDS, type IntakeReply } from './record.ts';
import { loadScript } from './script.ts';

const read = loadScript('read');
const announceDryRun = loadScript('announce-dry-run');
const hashWithTime = loadScript('hash-with-time');

/** Reads and writes the state that applies to all sessions of a shard: its clock and its intake; and counts its sessions. */
export class RedisShardState {
  readonly #redis: Redis | Cluster;
  readonly #keys: Keyspace;

  constructor(redis: Redis | Cluster, { prefix, shards }: { readonly prefix: string; readonly shards: number }) {
    this.#redis = redis;
    this.#keys = new Keyspace(prefix, shards);
  }

  /** Returns how many sessions there are, tombstones included. */
  async sessionCount(): Promise<number> {
    const counts = this.#keys.shards.flatMap((keys) => STATUSES.map((status) => this.#redis.zcard(keys.status(status))));
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  /**
   * Clears the mark that Redis lost data. To be used only where Redis is empty: the marked sessions are gone, and a mark that
   * stays would postpone every delete of the sessions that are restored.
   */
  async clearDataLossMark(): Promise<void> {
    await Promise.all(this.#keys.shards.map(({ intake }) => this.#redis.hdel(intake, INTAKE_FIELDS.rewoundAt)));
  }

  /** Returns the clock (ms) and the intake of a session's shard. */
  async readShardOf(uuid: string): Promise<{ readonly now: number; readonly intake: Intake }> {
    const keys = this.#keys.of(uuid);
    const [now, , intake] = (await read(this.#redis, [keys.session(uuid), keys.intake], [])) as [number, string, IntakeReply];
    return { now, intake: decodeIntake(intake, now) };
  }

  /** Returns Redis' clock of the first shard, in ms. */
  async clock(): Promise<number> {
    const [now] = (await hashWithTime(this.#redis, [this.#keys.shards[0]!.intake], [])) as [number];
    return now;
  }

  /** Returns the age of the last heartbeat in the shard where it is oldest (`beatAgo`), in ms; null where a shard never had one. */
  async oldestHeartbeat(): Promise<{ readonly now: number; readonly beatAgo: number | null }> {
    const shards = (await Promise.all(this.#keys.shards.map(({ intake }) => hashWithTime(this.#redis, [intake], [])))) as [
      number,
      string[],
    ][];
    const beats = shards.map(([now, flat]) => {
      const at = flat.indexOf(INTAKE_FIELDS.lastHeartbeat);
      return at < 0 ? null : now - Number(flat[at + 1]);
    });
    const known = beats.filter((ago) => ago !== null);
    return { now: shards[0]![0], beatAgo: known.length < beats.length ? null : Math.max(...known) };
  }

  /** Sets how long before each idle sleep and delete a warning is sent, and the notice after a change of the policy, in ms. */
  async setWarnings(warnings: Pick<Intake, 'warning' | 'deleteWarning' | 'deleteNotice'>): Promise<void> {
    const fields = Object.entries(warnings).flatMap(([name, ms]) => [INTAKE_FIELDS[name as keyof Intake], ms]);
    await Promise.all(this.#keys.shards.map(({ intake }) => this.#redis.hset(intake, ...fields)));
  }

  /**
   * Announces whether a worker is a dry run or makes calls; workers announce it every few seconds. The end of a dry run counts
   * as activity of every session that is wanted awake, as the end of a gap does.
   *
   * @param lasts how long a worker counts as making calls after it announced so, in ms
   * @returns whether this worker is a dry run and others make calls
   */
  async announceDryRun(dry: boolean, lasts: number): Promise<boolean> {
    const replies = await Promise.all(this.#keys.shards.map(({ intake }) => announceDryRun(this.#redis, [intake], [dry ? 1 : 0, lasts])));
    return replies.includes(1);
  }
}

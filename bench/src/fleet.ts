import { type AlarmClock, deadlines, type Policy, PolicySet } from '@sandman/core';
import { SessionService, unchanging } from '@sandman/lifecycle';
import { AlarmQueues } from '@sandman/queue';
import { system } from '@sandman/runtime';
import { type RedisServer, startRedis } from '@sandman/sandbox';
import { RedisSessionStore } from '@sandman/store';
import { type Cluster, Redis } from 'ioredis';

/** Reports the progress of long operations. */
export interface ProgressReporter {
  readonly progress: (text: string) => void;
}

/** Sessions that are made concurrently. */
const AT_ONCE = 500;
const PROGRESS_EVERY = 100_000;
/** Coprime to the size of any fleet that is not a multiple of it, so all sessions are visited, in another order than they were made. */
const STRIDE = 7_919;

/** Returns the uuid of a session of a fleet: 8 characters, like those of the session-manager. */
export function uuidOf(index: number): string {
  return index.toString(36).padStart(8, '0');
}

/** Visits all sessions of a fleet in turn, then begins again. */
export class SessionCycle {
  readonly #size: number;
  #turn = 0;

  constructor(size: number) {
    this.#size = size;
  }

  readonly next = (): string => {
    this.#turn = (this.#turn + STRIDE) % this.#size;
    return uuidOf(this.#turn);
  };

  /** Returns the next `count` uuids without advancing. */
  ahead(count: number): string[] {
    return Array.from({ length: count }, (_, i) => uuidOf((this.#turn + (i + 1) * STRIDE) % this.#size));
  }
}

export interface FleetOptions {
  /** The index of the first session. */
  readonly from?: number;
  /** The policy of each session; the default policy if absent. */
  readonly policyOf?: (index: number) => Policy;
}

/**
 * Makes sessions as an API does.
 *
 * @param alarms where their alarms are set
 * @returns when each session is to fall asleep, in ms since the epoch, by uuid
 */
export async function fillFleet(
  redis: Redis | Cluster,
  prefix: string,
  alarms: AlarmClock,
  size: number,
  { progress }: ProgressReporter,
  { from = 0, policyOf }: FleetOptions = {},
): Promise<Map<string, number>> {
  const store = new RedisSessionStore(redis, { prefix, shards: 1, slack: 1 });
  const policies = new PolicySet();
  const service = new SessionService({
    store,
    alarms,
    policies: unchanging(policies.default),
    system,
    unarmed(error) {
      throw error;
    },
  });
  const due = new Map<string, number>();
  let begun = 0;
  const one = async () => {
    while (begun < size) {
      const index = begun++;
      const uuid = uuidOf(from + index);
      const policy = policyOf?.(index) ?? policies.default;
      const { record } = await service.track(uuid, {
        userId: `${uuid}@example.com`,
        workspaceUrl: `https://${uuid}.pods.example.com`,
        policy,
      });
      due.set(uuid, deadlines(record).sleepAt ?? 0);
      if (due.size % PROGRESS_EVERY === 0) progress(`${due.size.toLocaleString('en')} of ${size.toLocaleString('en')} sessions are made`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return due;
}

/** Idle sessions in a Redis server that holds nothing else. */
export interface BenchFleet {
  readonly redis: RedisServer;
  readonly prefix: string;
  readonly size: number;
  /** The memory that Redis uses for them right after they were made, including all that it needs beside them, in bytes. */
  readonly bytes: number;
}

const FLEET_PREFIX = 'sandman';

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
}

/** Caches the fleets that benchmarks share, because a million sessions take minutes to make. */
export class FleetCache {
  readonly #made = new Map<number, Promise<BenchFleet>>();
  readonly #filling: FleetOptions;

  constructor(filling: FleetOptions = {}) {
    this.#filling = filling;
  }

  get(size: number, context: ProgressReporter): Promise<BenchFleet> {
    const made = this.#made.get(size) ?? this.#make(size, context);
    this.#made.set(size, made);
    return made;
  }

  async #make(size: number, context: ProgressReporter): Promise<BenchFleet> {
    context.progress(`a fleet of ${size.toLocaleString('en')} sessions is being made`);
    const server = await startRedis();
    const redis = new Redis(server.url, { enableAutoPipelining: true });
    const alarms = new AlarmQueues(redis, FLEET_PREFIX, 1, () => {});
    try {
      const before = await usedMemory(redis);
      await fillFleet(redis, FLEET_PREFIX, alarms, size, context, this.#filling);
      return { redis: server, prefix: FLEET_PREFIX, size, bytes: (await usedMemory(redis)) - before };
    } finally {
      await alarms.close();
      redis.disconnect();
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#made.values()].map(async (made) => (await made).redis.stop()));
  }
}

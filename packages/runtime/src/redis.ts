import { type Cluster, Command, Redis, type RedisOptions } from 'ioredis';
import type { RedisAddress } from './redis-address.ts';
import { type ClusterSettings, openCluster } from './redis-cluster.ts';
import { SteadySentinelConnector } from './sentinel-connector.ts';
import { startTimeLimit } from './time-limit.ts';
import { TlsConnector } from './tls-connector.ts';

/** How long a `request` connection waits for the answer to a command, in ms. It makes a frozen Redis an error within 1 s. */
const REQUEST_MS = 800;
/**
 * How long a `request` connection may take to open, how long a sentinel may take to answer, and the pause before a connection
 * to a sentinel is opened again, in ms. It is short, so that a new master is found soon.
 */
const OPENING_MS = 1_000;

/**
 * While Redis is away, commands of `request` fail: at once, or after 800 ms if Redis is frozen, and 200 ms later if this process stood
 * still meanwhile. Commands of `worker` wait.
 */
export type RedisRole = 'request' | 'worker';

type ServerSettings = Omit<RedisOptions, 'replyMapping'>;

interface Settings {
  /** For one server, whose address is given or is found through sentinels. */
  readonly server: ServerSettings;
  readonly cluster: ClusterSettings;
}

const WORKER: Settings = {
  server: {
    maxRetriesPerRequest: null,
    // 2: the master has become a replica, so ioredis reconnects and sends the command again.
    reconnectOnError: (error) => (error.message.includes('READONLY') ? 2 : false),
  },
  cluster: {
    maxRedirections: Number.POSITIVE_INFINITY,
    // A command to a master that vanished hangs. Once the slot map names the new master, ioredis sends the command there.
    slotsRefreshInterval: 2_000,
    redisOptions: { maxRetriesPerRequest: null },
  },
};

const ROLES: Record<RedisRole, Settings> = {
  request: {
    server: {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      commandTimeout: REQUEST_MS,
      connectTimeout: OPENING_MS,
      // The master has become a replica: reconnect, so that later commands go to the new master.
      reconnectOnError: (error) => error.message.includes('READONLY'),
    },
    cluster: {
      enableOfflineQueue: false,
      // ioredis opens the connection to a node at the first command for it. While it opens, ioredis refuses a single command,
      // but keeps back a pipeline.
      enableAutoPipelining: true,
      // After a failover a command needs one redirection, to the new master. The others are to spare.
      maxRedirections: 4,
      // 0: ioredis never repeats a command: not if its connection broke, because it may have run, nor if the Cluster is down.
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      slotsRefreshTimeout: OPENING_MS / 2,
      // A master that vanished sends no error and no redirection: only the slot map names the new master.
      slotsRefreshInterval: 1_000,
      redisOptions: { commandTimeout: REQUEST_MS, connectTimeout: OPENING_MS },
    },
  },
  worker: WORKER,
};

// The time limit of ioredis itself (`commandTimeout`) expires before answers are read that arrived while this process stood still.
Command.prototype.setTimeout = function (ms) {
  // ioredis clears the timer in this field when the command is settled.
  const command: { _commandTimeoutTimer?: NodeJS.Timeout } = this as object;
  command._commandTimeoutTimer ??= startTimeLimit(ms, () => {
    if (!this.isSettled) this.reject(new Error('Command timed out'));
  });
};

function retryDelay(attempts: number): number {
  return Math.min(50 * attempts, 500);
}

function sentinelOptions({ sentinels, master, tls }: RedisAddress & { kind: 'sentinel' }): ServerSettings {
  return {
    Connector: SteadySentinelConnector,
    sentinels: [...sentinels],
    name: master,
    // When a sentinel names a new master, ioredis closes the connection to the old one, which may hang and never break.
    failoverDetector: true,
    sentinelReconnectStrategy: () => OPENING_MS,
    sentinelRetryStrategy: retryDelay,
    sentinelCommandTimeout: OPENING_MS,
    ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
  };
}

/**
 * Connects, and tries again for ever. Node must trust the server's certificate (`NODE_EXTRA_CA_CERTS` adds authorities).
 *
 * @param onError called with connection errors, those of a Cluster's nodes at most once a second; ioredis would print them
 */
export function connectRedis(address: RedisAddress, role: RedisRole, onError: (error: Error) => void): Redis | Cluster {
  const tls = address.tls ? { tls: {}, ...(address.kind === 'sentinel' ? {} : { Connector: TlsConnector }) } : {};
  const access = { ...tls, username: address.login?.user ?? undefined, password: address.login?.password };
  if (address.kind === 'cluster') {
    const options = ROLES[role].cluster;
    const redisOptions = { ...options.redisOptions, ...access };
    return openCluster(address.seeds, { ...options, redisOptions, clusterRetryStrategy: retryDelay }, onError);
  }
  const options: ServerSettings = { ...ROLES[role].server, ...access, retryStrategy: retryDelay };
  if (address.kind === 'single') Object.assign(options, address.server, { db: address.database });
  else Object.assign(options, sentinelOptions(address));
  const redis = new Redis(options);
  redis.on('error', onError);
  return redis;
}

/** How long a Redis may take to answer before it counts as away, in ms. */
const ANSWER_MS = 1_000;

/** Tells whether Redis (any one master of a Cluster) answers a PING. The connection cannot tell: it stays open if Redis freezes. */
export async function answers(redis: Redis | Cluster): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = startTimeLimit(ANSWER_MS, () => resolve(null));
  });
  // A command on a worker's connection waits until Redis is back; this call must not.
  const answer = await Promise.race([redis.ping().catch(() => null), late]);
  clearTimeout(timer);
  return answer === 'PONG';
}

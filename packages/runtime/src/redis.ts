import { type Cluster, Redis, type RedisOptions } from 'ioredis';
import type { RedisAddress } from './redis-address.ts';
import { type ClusterSettings, openCluster } from './redis-cluster.ts';
import { SteadySentinelConnector } from './sentinel-connector.ts';
import { TlsConnector } from './tls-connector.ts';

/** How long a `request` connection waits for a command, in ms, so that a frozen Redis is an error within 1 s. */
const REQUEST_MS = 800;
/** How long a `request` connection may take to open, and a sentinel to answer, in ms, so that no failover is missed for longer. */
const OPENING_MS = 1_000;

/** How a connection behaves while Redis is away: commands of `request` fail within milliseconds, those of `worker` wait. */
export type RedisRole = 'request' | 'worker';

type ServerSettings = Omit<RedisOptions, 'replyMapping'>;

interface Settings {
  /** For one server, with an address or found through sentinels. */
  readonly server: ServerSettings;
  readonly cluster: ClusterSettings;
}

const WORKER: Settings = {
  server: {
    maxRetriesPerRequest: null,
    reconnectOnError: (error) => (error.message.includes('READONLY') ? 2 : false),
  },
  cluster: {
    maxRedirections: Number.POSITIVE_INFINITY,
    // Commands that hang at a master that vanished are sent to the new master once the slot map names it.
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
      // ioredis connects to a node at its first command. Until then it refuses a single command, but retries a pipeline.
      enableAutoPipelining: true,
      // One redirection to the new master, one for a script it does not have, and one more of each.
      maxRedirections: 4,
      // 0: never repeat a command whose connection broke, because it may have run.
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

function retryDelay(attempts: number): number {
  return Math.min(50 * attempts, 500);
}

function sentinelOptions({ sentinels, master, tls }: RedisAddress & { kind: 'sentinel' }): ServerSettings {
  return {
    Connector: SteadySentinelConnector,
    sentinels: [...sentinels],
    name: master,
    // The sentinels' message about a new master closes the connection to the old one, which may hang without breaking.
    failoverDetector: true,
    sentinelReconnectStrategy: () => OPENING_MS,
    sentinelRetryStrategy: retryDelay,
    sentinelCommandTimeout: OPENING_MS,
    ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
  };
}

/**
 * Connects, and retries for ever. Certificates are checked against those that Node trusts (`NODE_EXTRA_CA_CERTS`).
 *
 * @param onError called for each connection error; without a listener ioredis prints them
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

/** Tells whether Redis, or one master of a Cluster, answers a PING. The connection's state does not tell: a frozen Redis keeps it. */
export async function answers(redis: Redis | Cluster): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ANSWER_MS, null);
  });
  // A command on a worker's connection waits until Redis is back; this call must not.
  const answer = await Promise.race([redis.ping().catch(() => null), late]);
  clearTimeout(timer);
  return answer === 'PONG';
}

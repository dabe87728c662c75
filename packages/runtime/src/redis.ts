import { type Cluster, Redis, type RedisOptions } from 'ioredis';
import type { RedisAddress } from './redis-address.ts';
import { type ClusterSettings, openCluster } from './redis-cluster.ts';
import { SteadySentinelConnector } from './sentinel-connector.ts';
import { TlsConnector } from './tls-connector.ts';

/** How long a caller waits for a command, in ms: a frozen Redis is an error within a second. */
const REQUEST_MS = 800;
/** How long a caller's connection may take to open, and a sentinel to answer, in ms: no failover is missed for longer. */
const OPENING_MS = 1_000;

/** Who uses a connection. Redis dead is an error in milliseconds to `request`, and something to wait for to `worker`. */
export type RedisRole = 'request' | 'worker';

type ServerSettings = Omit<RedisOptions, 'replyMapping'>;

interface Settings {
  /** Of one server, whether it has an address or sentinels know it. */
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
    // Commands that hang on a master that vanished are sent to its successor once the map names it.
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
      // A master that was made a replica: what comes next goes to the new one.
      reconnectOnError: (error) => error.message.includes('READONLY'),
    },
    cluster: {
      enableOfflineQueue: false,
      // A master that nobody has spoken to is connected to only now: ioredis tries a pipeline again for that, and refuses a command.
      enableAutoPipelining: true,
      // Of a redirection to the new master, a script it does not have, and one of each to spare.
      maxRedirections: 4,
      // 0 is never: a command whose connection broke may have run.
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      slotsRefreshTimeout: OPENING_MS / 2,
      // A master that vanished without a word refuses nothing and redirects nobody: only the map tells of its successor.
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
    // Their word of a new master ends the connection to the old one, which may hang without breaking.
    failoverDetector: true,
    sentinelReconnectStrategy: () => OPENING_MS,
    sentinelRetryStrategy: retryDelay,
    sentinelCommandTimeout: OPENING_MS,
    ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
  };
}

/**
 * Connects, and goes on trying for ever. Certificates are checked against those that Node trusts (`NODE_EXTRA_CA_CERTS`).
 *
 * @param onError told of each connection error; without a listener ioredis prints them
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

/** Whether Redis answers; of a Cluster, whether one of its masters does. Asked, not looked up: a frozen one keeps its connections. */
export async function answers(redis: Redis | Cluster): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ANSWER_MS, null);
  });
  // A worker's command waits for Redis to come back; whoever asks here does not.
  const answer = await Promise.race([redis.ping().catch(() => null), late]);
  clearTimeout(timer);
  return answer === 'PONG';
}

import type { Certificate } from '../certificate.ts';
import { freePort, isPortFree } from '../free-port.ts';
import { askRedis, type RedisServer, startRedis } from '../redis-server.ts';
import { waitFor } from '../wait-for.ts';

const HASH_SLOTS = 16_384;
/** The port of the cluster bus, on which nodes talk to each other, is this much higher. */
const BUS_OFFSET = 10_000;

/**
 * A node counts as down after 1.5 s. Only the slots without a master are closed, and any replica may take over. A replica is in
 * sync, and shown in `CLUSTER SLOTS`, soon.
 */
const CLUSTER_SETTINGS = [
  ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'],
  ...['--cluster-node-timeout', '1500', '--cluster-require-full-coverage', 'no', '--cluster-replica-validity-factor', '0'],
  ...['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'],
];

/** A Redis Cluster on 127.0.0.1 for one test, which may kill its nodes. */
export interface RedisCluster {
  readonly nodes: readonly RedisServer[];
  /** Contains the address of every node. */
  readonly url: string;
  /** Asks the nodes that are alive which one serves a key. */
  masterOf(key: string): Promise<RedisServer>;
  stop(): Promise<void>;
}

export interface RedisClusterOptions {
  readonly masters?: number;
  /** How many replicas there are in all; the masters get them in turn. */
  readonly replicas?: number;
  readonly certificate?: Certificate | null;
}

/** Returns a port such that the one for the cluster bus is free as well. */
async function freeNodePort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (await isPortFree(port + BUS_OFFSET)) return port;
  }
}

function infoField(info: unknown, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(String(info))?.[1];
}

function clusterInfo(node: RedisServer, name: string): Promise<string | undefined> {
  return askRedis(node, async (redis) => infoField(await redis.cluster('INFO'), name));
}

async function formCluster(nodes: readonly RedisServer[], masters: number): Promise<void> {
  await Promise.all(nodes.map((node, i) => askRedis(node, (redis) => redis.cluster('SET-CONFIG-EPOCH', i + 1))));
  // Each node meets all that come after it: by gossip alone it takes seconds until all know each other.
  const meet = (node: RedisServer, i: number) =>
    askRedis(node, (redis) => Promise.all(nodes.slice(i + 1).map(({ port }) => redis.cluster('MEET', '127.0.0.1', port))));
  await Promise.all(nodes.map(meet));
  const share = Math.ceil(HASH_SLOTS / masters);
  await Promise.all(
    nodes.slice(0, masters).map((node, i) => {
      // As a list of slots, because Redis before 7 has no ADDSLOTSRANGE.
      const slots = Array.from({ length: Math.min(share, HASH_SLOTS - i * share) }, (_, slot) => i * share + slot);
      return askRedis(node, (redis) => redis.cluster('ADDSLOTS', ...slots));
    }),
  );
  const ids = await Promise.all(nodes.map((node) => askRedis(node, (redis) => redis.cluster('MYID'))));
  // During a handshake, nodes know each other by temporary ids.
  const knowsAll = async (node: RedisServer) => {
    const known = await askRedis(node, async (redis) => String(await redis.cluster('NODES')));
    return ids.every((id) => known.includes(id));
  };
  await waitFor('all nodes know each other', async () => (await Promise.all(nodes.map(knowsAll))).every(Boolean));
  await Promise.all(nodes.slice(masters).map((node, i) => askRedis(node, (redis) => redis.cluster('REPLICATE', ids[i % masters]!))));
}

async function isClusterComplete(nodes: readonly RedisServer[], masters: number): Promise<boolean> {
  const each = nodes.map(async (node, i) => {
    if ((await clusterInfo(node, 'cluster_state')) !== 'ok') return false;
    const ranges = await askRedis(node, (redis) => redis.cluster('SLOTS'));
    if (ranges.reduce((sum, [, , ...servers]) => sum + servers.length, 0) !== nodes.length) return false;
    return (
      i < masters || (await askRedis(node, async (redis) => infoField(await redis.info('replication'), 'master_link_status'))) === 'up'
    );
  });
  return (await Promise.all(each)).every(Boolean);
}

/** Starts the Redis server on the PATH once for each node. Resolves when all slots are served and every replica is in sync. */
export async function startRedisCluster({
  masters = 3,
  replicas = 3,
  certificate = null,
}: RedisClusterOptions = {}): Promise<RedisCluster> {
  const ports = await Promise.all(Array.from({ length: masters + replicas }, freeNodePort));
  const nodes = await Promise.all(ports.map((port) => startRedis({ port, aof: true, certificate, settings: CLUSTER_SETTINGS })));
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    await formCluster(nodes, masters);
    await waitFor('the Cluster is whole', () => isClusterComplete(nodes, masters), 30_000);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    nodes,
    url: `${certificate ? 'rediss' : 'redis'}+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    async masterOf(key) {
      for (const node of nodes) {
        const port = await askRedis(node, async (redis) => {
          const slot = await redis.cluster('KEYSLOT', key);
          const ranges = await redis.cluster('SLOTS');
          return ranges.find(([from, to]) => from <= slot && slot <= to)?.[2]?.[1];
        }).catch(() => undefined);
        const master = nodes.find((one) => one.port === port);
        if (master) return master;
      }
      throw new Error(`No node knows who serves ${key}`);
    },
    stop,
  };
}

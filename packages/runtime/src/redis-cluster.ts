import { Cluster, type ClusterOptions, type Redis } from 'ioredis';
import type { Endpoint } from './redis-address.ts';

export type ClusterSettings = Omit<ClusterOptions, 'redisOptions'> & {
  readonly redisOptions: Omit<NonNullable<ClusterOptions['redisOptions']>, 'replyMapping'>;
};

/** Least time between two reported errors of nodes, in ms: each command for a dead node causes one. */
const REPORT_EVERY_MS = 1_000;

/** Passes on at most one error per {@link REPORT_EVERY_MS}. */
function sparing(report: (error: Error) => void): (error: Error) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (performance.now() - last < REPORT_EVERY_MS) return;
    last = performance.now();
    report(error);
  };
}

/**
 * Connects to a Cluster, and finds it again after its seeds are gone: it and its duplicates reconnect through the nodes last
 * known as well. ioredis would ask only the seeds, for ever.
 *
 * @param onError called when no node answers, and at most once a second for a node that does not
 */
export function openCluster(seeds: readonly Endpoint[], settings: ClusterSettings, onError: (error: Error) => void): Cluster {
  // ioredis reads this list each time it connects.
  const known: Endpoint[] = [...seeds];
  const open = (own: ClusterSettings): Cluster => {
    const cluster = new Cluster(known, {
      ...own,
      // Each node's connection resolves its name itself: certificates are issued to names, and one name that cannot be
      // resolved must not make all seeds fail.
      dnsLookup: (name, callback) => callback(null, name),
    });
    cluster.on('refresh', () => {
      const nodes = cluster.nodes().map(({ options: { host, port } }) => ({ host: host!, port: port! }));
      const others = nodes.filter((node) => !seeds.some(({ host, port }) => host === node.host && port === node.port));
      known.splice(seeds.length, known.length, ...others);
    });
    // BullMQ makes its blocking connection with `duplicate`.
    cluster.duplicate = ((_seeds, changes) => open({ ...own, ...changes } as ClusterSettings)) as Cluster['duplicate'];
    return cluster;
  };
  const cluster = open(settings);
  // ioredis does not report why the slot map cannot be read. A connection to a seed does, as an error of the node. Later
  // nodes are not connected here: a command that arrives while such a connection is being opened fails.
  cluster.on('+node', (node: Redis) => {
    if (cluster.slots.length === 0) node.connect().catch(() => {});
  });
  cluster.on('error', onError);
  cluster.on('node error', sparing(onError));
  return cluster;
}

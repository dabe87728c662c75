import { Cluster, type ClusterOptions, type Redis } from 'ioredis';
import type { Endpoint } from './redis-address.ts';

export type ClusterSettings = Omit<ClusterOptions, 'redisOptions'> & {
  readonly redisOptions: Omit<NonNullable<ClusterOptions['redisOptions']>, 'replyMapping'>;
};

/** A dead node is tried for every command that wants it; of what that says, this much is passed on, in ms. */
const REPORT_EVERY_MS = 1_000;

/** At most one call per {@link REPORT_EVERY_MS}. */
function sparing(report: (error: Error) => void): (error: Error) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (performance.now() - last < REPORT_EVERY_MS) return;
    last = performance.now();
    report(error);
  };
}

/**
 * A Cluster that outlives its seeds: it begins again, as its duplicates do, from the nodes it last knew of,
 * where ioredis would ask those for ever that it was started with.
 *
 * @param onError told when no node answers, and about once a second of a node that does not
 */
export function openCluster(seeds: readonly Endpoint[], settings: ClusterSettings, onError: (error: Error) => void): Cluster {
  // ioredis reads this list at every new beginning.
  const known: Endpoint[] = [...seeds];
  const open = (own: ClusterSettings): Cluster => {
    const cluster = new Cluster(known, {
      ...own,
      // Names are left to each node's connection: a certificate is issued to a name, and one seed that cannot be resolved is not all of them.
      dnsLookup: (name, callback) => callback(null, name),
    });
    cluster.on('refresh', () => {
      const nodes = cluster.nodes().map(({ options: { host, port } }) => ({ host: host!, port: port! }));
      const others = nodes.filter((node) => !seeds.some(({ host, port }) => host === node.host && port === node.port));
      known.splice(seeds.length, known.length, ...others);
    });
    // BullMQ blocks on a duplicate.
    cluster.duplicate = ((_seeds, changes) => open({ ...own, ...changes } as ClusterSettings)) as Cluster['duplicate'];
    return cluster;
  };
  const cluster = open(settings);
  // ioredis keeps to itself why a map cannot be had: a connection to a seed says it, as an error of the node.
  // Later nodes are left alone, since what arrives while a connection is being opened by others fails.
  cluster.on('+node', (node: Redis) => {
    if (cluster.slots.length === 0) node.connect().catch(() => {});
  });
  cluster.on('error', onError);
  cluster.on('node error', sparing(onError));
  return cluster;
}

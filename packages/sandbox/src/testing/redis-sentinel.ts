import type { Certificate } from '../certificate.ts';
import { askRedis, type RedisServer, type RedisServerOptions, startRedis } from '../redis-server.ts';
import { waitFor } from '../wait-for.ts';

const MASTER = 'main';
const SENTINELS = 3;
const QUORUM = 2;
const DOWN_AFTER_MS = 1_000;
/** The `failover-timeout`, which also sets how soon a failed failover is tried again. */
const FAILOVER_MS = 3_000;

/** A master, a replica and three sentinels that watch them, on 127.0.0.1. */
export interface SentinelRedis {
  readonly url: string;
  /** @returns the master as the first sentinel sees it, which learns of a failover that another one led up to about 2 s later */
  master(): Promise<RedisServer>;
  stop(): Promise<void>;
}

function config(port: number): string {
  return [
    `sentinel monitor ${MASTER} 127.0.0.1 ${port} ${QUORUM}`,
    `sentinel down-after-milliseconds ${MASTER} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${MASTER} ${FAILOVER_MS}`,
    '',
  ].join('\n');
}

/** Asks a sentinel for a field of the master. The reply is a list: field, value, … */
async function masterField(sentinel: RedisServer, field: string): Promise<string | undefined> {
  const reply = (await askRedis(sentinel, (redis) => redis.call('SENTINEL', 'MASTER', MASTER))) as string[];
  return reply[reply.indexOf(field) + 1];
}

/** Starts the Redis server on the PATH five times. Resolves when every sentinel knows all others and the replica is in sync. */
export async function startSentinel({ certificate = null }: { readonly certificate?: Certificate | null } = {}): Promise<SentinelRedis> {
  const started: RedisServer[] = [];
  const start = async (options: RedisServerOptions) => {
    const server = await startRedis({ certificate, ...options });
    started.push(server);
    return server;
  };
  const stop = async () => {
    await Promise.all(started.map((server) => server.stop()));
  };
  try {
    const sync = ['--repl-diskless-sync-delay', '0'];
    const first = await start({ aof: true, settings: sync });
    const replica = await start({ aof: true, settings: [...sync, '--replicaof', '127.0.0.1', `${first.port}`] });
    await waitFor('the replica is in sync', async () =>
      (await askRedis(replica, (redis) => redis.info('replication'))).includes('master_link_status:up'),
    );
    const sentinels: RedisServer[] = [];
    for (let i = 0; i < SENTINELS; i++) sentinels.push(await start({ config: config(first.port), settings: ['--sentinel'] }));
    const complete = async (sentinel: RedisServer) =>
      (await masterField(sentinel, 'num-other-sentinels')) === `${SENTINELS - 1}` && (await masterField(sentinel, 'num-slaves')) === '1';
    await waitFor(
      'the sentinels know each other and the replica',
      async () => (await Promise.all(sentinels.map(complete))).every(Boolean),
      60_000,
    );
    return {
      url: `${certificate ? 'rediss' : 'redis'}+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${MASTER}`,
      async master() {
        const port = await masterField(sentinels[0]!, 'port');
        return [first, replica].find((server) => `${server.port}` === port)!;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

import { expect, it } from 'vitest';
import { askRedis } from '../redis-server.ts';
import { waitFor } from '../wait-for.ts';
import { startRedisCluster } from './redis-cluster.ts';

it('a Cluster of one’s own serves every slot, and goes on without a master that is killed', async () => {
  const cluster = await startRedisCluster();
  try {
    const masters = await Promise.all(['a', 'b', 'c'].map((key) => cluster.masterOf(key)));
    expect(new Set(masters).size).toBe(3);
    const former = masters[0]!;
    await former.kill();
    await waitFor('a replica takes over', async () => (await cluster.masterOf('a')) !== former);
    expect(await askRedis(await cluster.masterOf('a'), (redis) => redis.set('a', 'over'))).toBe('OK');
  } finally {
    await cluster.stop();
  }
  for (const node of cluster.nodes) expect(() => process.kill(node.pid(), 0)).toThrow('ESRCH');
});

import { expect, it } from 'vitest';
import { askRedis } from '../redis-server.ts';
import { waitFor } from '../wait-for.ts';
import { startSentinel } from './redis-sentinel.ts';

it('sentinels of one’s own put the replica in the place of a master that is killed', async () => {
  const watched = await startSentinel();
  try {
    const former = await watched.master();
    await former.kill();
    await waitFor('the replica is the master', async () => (await watched.master()) !== former);
    expect(await askRedis(await watched.master(), (redis) => redis.set('taken', 'over'))).toBe('OK');
  } finally {
    await watched.stop();
  }
});

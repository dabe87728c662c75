import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { askRedis, startRedis } from './redis-server.ts';

it('a server of one’s own runs as the design wants it, and leaves nothing behind', async () => {
  const server = await startRedis();
  const dir = await askRedis(server, async (redis) => {
    const setting = async (name: string) => ((await redis.config('GET', name)) as string[])[1];
    expect(await setting('hz')).toBe('100');
    expect(await setting('hash-max-listpack-value')).toBe('256');
    expect(await setting('maxmemory-policy')).toBe('noeviction');
    expect(await setting('save')).toBe('');
    expect(await setting('appendonly')).toBe('no');
    return (await setting('dir'))!;
  });
  expect(existsSync(dir)).toBe(true);
  await server.stop();
  expect(existsSync(dir)).toBe(false);
  expect(() => process.kill(server.pid(), 0)).toThrow('ESRCH');
});

it('with AOF, what it acknowledged survives being killed', async () => {
  const server = await startRedis({ aof: true });
  try {
    await askRedis(server, (redis) => redis.set('kept', 'yes'));
    await server.kill();
    await server.restart();
    expect(await askRedis(server, (redis) => redis.get('kept'))).toBe('yes');
  } finally {
    await server.stop();
  }
});

it('a server whose port another one has taken is not mistaken for it', async () => {
  const server = await startRedis();
  try {
    await expect(startRedis({ port: server.port })).rejects.toThrow(`another Redis listens on port ${server.port}`);
    expect(await askRedis(server, (redis) => redis.ping())).toBe('PONG');
  } finally {
    await server.stop();
  }
});

import { AlarmQueues } from '@sandman/queue';
import { startRedis } from '@sandman/testing';
import { Redis } from 'ioredis';
import type { Benchmark, Context } from './benchmark.ts';
import { type Figure, figure } from './figures.ts';
import { fillFleet, uuidOf } from './fleet.ts';

/** So many keys of a kind stand for all of it. */
const SAMPLE = 100;
const MOST_BYTES = 1_400;
const PREFIX = 'bench-memory';
const TAG = `{${PREFIX}:0}`;

/** The keys that a session has for itself; jobs carry the alarm number. */
async function ownKeys(redis: Redis, uuid: string): Promise<Record<string, string>> {
  const n = await redis.hget(`${TAG}:session:${uuid}`, 'n');
  return {
    'record, with its history': `${TAG}:session:${uuid}`,
    'sleep job': `${TAG}:sleep:sleep-${uuid}-${n}`,
    'delete job': `${TAG}:delete:delete-${uuid}-${n}`,
  };
}

/** What all sessions share. */
const SHARED = {
  'place among the sleep jobs': `${TAG}:sleep:delayed`,
  'place among the delete jobs': `${TAG}:delete:delayed`,
  'index by status and user': `${TAG}:status:active`,
} as const;

async function bytesOf(redis: Redis, key: string): Promise<number> {
  const bytes = await redis.memory('USAGE', key, 'SAMPLES', 0);
  if (bytes === null) throw new Error(`${key} is not there`);
  return bytes;
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
}

async function fill(size: number, context: Context): Promise<{ inAll: number; perSession: number; parts: Map<string, number> }> {
  const server = await startRedis();
  const redis = new Redis(server.url, { enableAutoPipelining: true });
  const alarms = new AlarmQueues(redis, PREFIX, 1, () => {});
  try {
    const before = await usedMemory(redis);
    await fillFleet(redis, PREFIX, alarms, size, context);
    const inAll = (await usedMemory(redis)) - before;
    const parts = new Map<string, number>();
    const sampled = Math.min(SAMPLE, size);
    for (let i = 0; i < sampled; i++) {
      const keys = await ownKeys(redis, uuidOf(Math.floor((i * size) / sampled)));
      for (const [part, key] of Object.entries(keys)) parts.set(part, (parts.get(part) ?? 0) + (await bytesOf(redis, key)) / sampled);
    }
    for (const [part, key] of Object.entries(SHARED)) parts.set(part, (await bytesOf(redis, key)) / size);
    // The stream of changes is capped, whatever the fleet's size.
    const perSession = (inAll - (await bytesOf(redis, `${TAG}:events`))) / size;
    return { inAll, perSession, parts };
  } finally {
    await alarms.close();
    redis.disconnect();
    await server.stop();
  }
}

async function at(size: number, context: Context): Promise<Figure[]> {
  const group = `${size.toLocaleString('en')} idle sessions`;
  const { inAll, perSession, parts } = await fill(size, context);
  return [
    figure(group, 'a session, all told', 'bytes', [perSession], { atMost: MOST_BYTES }),
    ...[...parts].map(([part, bytes]) => figure(group, `of that: ${part}`, 'bytes', [bytes])),
    figure(group, 'all of them, with the stream of changes', 'MB', [inAll / 1_048_576]),
  ];
}

export const memory: Benchmark = {
  name: 'memory',
  about: 'Redis’ memory for idle sessions with both alarms',
  async run(context) {
    const { small, large } = context.scale;
    return [...(await at(small, context)), ...(await at(large, context))];
  },
};

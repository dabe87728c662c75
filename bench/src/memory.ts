import { Redis } from 'ioredis';
import { type Benchmark, type Context, shownSize } from './benchmark.ts';
import { type Figure, figure } from './figures.ts';
import { uuidOf } from './fleet.ts';

/** The number of keys of each kind that are measured to estimate the average. */
const SAMPLE = 100;
const MOST_BYTES = 1_400;

/** Returns the keys that belong to one session. The ids of jobs contain the alarm number. */
async function ownKeys(redis: Redis, tag: string, uuid: string): Promise<Record<string, string>> {
  const n = await redis.hget(`${tag}:session:${uuid}`, 'n');
  return {
    'record, with its history': `${tag}:session:${uuid}`,
    'sleep job': `${tag}:sleep:sleep-${uuid}-${n}`,
    'delete job': `${tag}:delete:delete-${uuid}-${n}`,
  };
}

/** Keys that all sessions share. */
const SHARED = {
  'place among the sleep jobs': 'sleep:delayed',
  'place among the delete jobs': 'delete:delayed',
  'index by status and user': 'status:active',
} as const;

async function bytesOf(redis: Redis, key: string): Promise<number> {
  const bytes = await redis.memory('USAGE', key, 'SAMPLES', 0);
  if (bytes === null) throw new Error(`${key} is not there`);
  return bytes;
}

async function memoryAt(size: number, context: Context): Promise<Figure[]> {
  const fleet = await context.fleets.get(size, context);
  const group = shownSize(size, 'idle sessions');
  const tag = `{${fleet.prefix}:0}`;
  const redis = new Redis(fleet.redis.url);
  try {
    const parts = new Map<string, number>();
    const sampled = Math.min(SAMPLE, size);
    for (let i = 0; i < sampled; i++) {
      const keys = await ownKeys(redis, tag, uuidOf(Math.floor((i * size) / sampled)));
      for (const [part, key] of Object.entries(keys)) parts.set(part, (parts.get(part) ?? 0) + (await bytesOf(redis, key)) / sampled);
    }
    for (const [part, key] of Object.entries(SHARED)) parts.set(part, (await bytesOf(redis, `${tag}:${key}`)) / size);
    // The event stream is capped at the same length for any size of the fleet.
    const perSession = (fleet.bytes - (await bytesOf(redis, `${tag}:events`))) / size;
    return [
      figure(group, 'a session, all told', 'bytes', [perSession], { atMost: MOST_BYTES }),
      ...[...parts].map(([part, bytes]) => figure(group, `of that: ${part}`, 'bytes', [bytes])),
      figure(group, 'all of them, with the stream of changes', 'MB', [fleet.bytes / 1_048_576]),
    ];
  } finally {
    redis.disconnect();
  }
}

export const memory: Benchmark = {
  name: 'memory',
  about: 'Redis’ memory for idle sessions with both alarms',
  async run(context) {
    const { small, large } = context.scale;
    return [...(await memoryAt(small, context)), ...(await memoryAt(large, context))];
  },
};

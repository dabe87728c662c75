import { Redis } from 'ioredis';

const ROLES = {
  // A caller waits: Redis dead is an error in milliseconds, Redis frozen one within a second.
  request: {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: 800,
    enableAutoPipelining: true,
  },
  // Nobody waits: what cannot be done now is done when Redis is back.
  worker: { maxRetriesPerRequest: null },
};

/**
 * Connects, and goes on trying for ever.
 *
 * @param onError told of each connection error; without a listener ioredis prints them
 */
export function connectRedis(url: string, role: keyof typeof ROLES, onError: (error: Error) => void): Redis {
  const redis = new Redis(url, { ...ROLES[role], retryStrategy: (attempts: number) => Math.min(50 * attempts, 500) });
  redis.on('error', onError);
  return redis;
}

/** How long a Redis may take to answer before it counts as away, in ms. */
const ANSWER_MS = 1_000;

/** Whether Redis answers. Asked, not looked up: a frozen one keeps its connections. */
export async function answers(redis: Redis): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ANSWER_MS, null);
  });
  // A worker's command waits for Redis to come back; whoever asks here does not.
  const answer = await Promise.race([redis.ping().catch(() => null), late]);
  clearTimeout(timer);
  return answer === 'PONG';
}

import { Redis, type RedisOptions } from 'ioredis';

const ROLES: Record<'request' | 'worker', RedisOptions> = {
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
  const options: RedisOptions = { ...ROLES[role], retryStrategy: (attempts) => Math.min(50 * attempts, 500) };
  const redis = new Redis(url, options);
  redis.on('error', onError);
  return redis;
}

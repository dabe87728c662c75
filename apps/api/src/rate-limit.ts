import rateLimit from '@fastify/rate-limit';
import { ProblemError } from '@sandman/contracts';
import type { connectRedis } from '@sandman/runtime';
import type { FastifyInstance } from 'fastify';
import { givenKey } from './key-check.ts';

export interface RateLimit {
  /** Requests per second for each key, over all API processes together. */
  readonly perSecond: number;
  readonly redis: ReturnType<typeof connectRedis>;
  /** `KEY_PREFIX`. */
  readonly prefix: string;
}

/**
 * Limits the requests per second of each key. Register it after the key check, so that requests without a valid key are not
 * counted. A window of 1 s begins with a key's first request, so up to twice the limit may pass within one second.
 *
 * @throws during a request: ProblemError `rate-limited`, or the error from Redis
 */
export async function limitRate(v1: FastifyInstance, { perSecond, redis, prefix }: RateLimit): Promise<void> {
  await v1.register(rateLimit, {
    max: perSecond,
    timeWindow: 1_000,
    redis,
    // The braces make the whole key its own hash tag: on a Cluster each counter has its own slot. Only digests of keys reach Redis.
    nameSpace: `{${prefix}:rate:`,
    keyGenerator: ({ headers }) => `${givenKey(headers).toString('base64url')}}`,
    errorResponseBuilder: () => new ProblemError('rate-limited', `More than ${perSecond} requests a second with this key`),
    // The plugin's own value could be 0; the error's answer sets it instead.
    addHeaders: { 'retry-after': false },
  });
}

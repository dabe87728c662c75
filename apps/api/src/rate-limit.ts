import rateLimit from '@fastify/rate-limit';
import { SandmanError } from '@sandman/core';
import type { connectRedis } from '@sandman/runtime';
import type { FastifyInstance } from 'fastify';
import { givenKey } from './key-check.ts';

export interface RateLimit {
  /** Requests a second and key, over all API processes together. */
  readonly perSecond: number;
  readonly redis: ReturnType<typeof connectRedis>;
  /** `KEY_PREFIX`. */
  readonly prefix: string;
}

/**
 * Bounds what one key may ask for, to be called after the key check: what has no right key is not counted. A window
 * of a second begins with a key's first request, so that two windows' worth may pass within a second.
 *
 * @throws in a request, SandmanError `rate-limited`, or what Redis said
 */
export async function limitRate(v1: FastifyInstance, { perSecond, redis, prefix }: RateLimit): Promise<void> {
  await v1.register(rateLimit, {
    max: perSecond,
    timeWindow: 1_000,
    redis,
    // One counter a command, each in a slot of its own on a Cluster. Keys do not go to Redis, only their digests.
    nameSpace: `{${prefix}:rate:`,
    keyGenerator: ({ headers }) => `${givenKey(headers).toString('base64url')}}`,
    errorResponseBuilder: () => new SandmanError('rate-limited', `More than ${perSecond} requests a second with this key`),
    // Its own could be 0.
    addHeaders: { 'retry-after': false },
  });
}

import { createHash, timingSafeEqual } from 'node:crypto';
import { SandmanError } from '@sandman/core';
import type { FastifyRequest } from 'fastify';

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/**
 * Whether a request carries one of the keys. Digests of equal length are compared, every key each time, so that the
 * time taken tells nothing of them.
 *
 * @throws SandmanError `unauthorized`
 */
export function keyCheck(keys: readonly string[]): (request: FastifyRequest) => Promise<void> {
  const known = keys.map(digest);
  return async ({ headers }) => {
    const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
    const given = digest(String(headers['x-api-key'] ?? bearer ?? ''));
    const right = known.map((key) => timingSafeEqual(key, given)).includes(true);
    if (!right) throw new SandmanError('unauthorized', 'Give a key as X-API-Key or as Authorization: Bearer');
  };
}

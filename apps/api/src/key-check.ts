import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { SandmanError } from '@sandman/core';
import type { onRequestHookHandler } from 'fastify';

function digest(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}

/** The SHA-256 of the key that a request carries, right or wrong; of the empty string where it carries none. */
export function givenKey(headers: IncomingHttpHeaders): Buffer {
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  return digest(String(headers['x-api-key'] ?? bearer ?? ''));
}

/**
 * Whether a request carries one of the keys. Digests of equal length are compared, every key each time, so that the
 * time taken tells nothing of them.
 *
 * The request fails with SandmanError `unauthorized` where it does not.
 */
export function keyCheck(keys: readonly string[]): onRequestHookHandler {
  const known = keys.map(digest);
  return ({ headers }, _, done) => {
    const given = givenKey(headers);
    const right = known.map((key) => timingSafeEqual(key, given)).includes(true);
    if (right) done();
    else done(new SandmanError('unauthorized', 'Give a key as X-API-Key or as Authorization: Bearer'));
  };
}

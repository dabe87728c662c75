import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

function digest(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}

/** Returns the SHA-256 of the key in a request, valid or not; of the empty string if there is none. */
export function givenKey(headers: IncomingHttpHeaders): Buffer {
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  return digest(String(headers['x-api-key'] ?? bearer ?? ''));
}

/**
 * Returns a function that tells whether headers carry one of the keys. It compares digests of equal length, and all keys each
 * time, so that the time it takes reveals nothing about them.
 *
 * @param equals compares two digests in constant time
 */
export function keyCheck(keys: readonly string[], equals = timingSafeEqual): (headers: IncomingHttpHeaders) => boolean {
  const known = keys.map(digest);
  return (headers) => {
    const given = givenKey(headers);
    return known.map((key) => equals(key, given)).includes(true);
  };
}

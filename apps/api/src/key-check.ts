import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

function digest(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}

/** The SHA-256 of the key that a request carries, right or wrong; of the empty string where it carries none. */
export function givenKey(headers: IncomingHttpHeaders): Buffer {
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  return digest(String(headers['x-api-key'] ?? bearer ?? ''));
}

/**
 * Makes a check whether headers carry one of the keys. It compares digests of equal length, and every key each time, so that
 * the time taken tells nothing of them.
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

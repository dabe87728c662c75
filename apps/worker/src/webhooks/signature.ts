import { createHmac } from 'node:crypto';

const SECRET_PREFIX = 'whsec_';

/**
 * Returns the key in a Standard Webhooks secret: base64 of 24 to 64 bytes, with or without the prefix `whsec_`.
 *
 * @throws Error if it is malformed
 */
export function webhookKeyOf(secret: string): Buffer {
  const text = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret;
  const key = Buffer.from(text, 'base64');
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(text);
  if (!isBase64 || key.length < 24 || key.length > 64) throw new Error('malformed');
  return key;
}

/**
 * Returns the headers by which a receiver verifies that a body is from Sandman and recent (https://www.standardwebhooks.com).
 *
 * @param now ms of the epoch
 */
export function signedHeaders(key: Buffer, id: string, body: string, now: number): Record<string, string> {
  const timestamp = Math.floor(now / 1_000);
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': `${timestamp}`, 'webhook-signature': `v1,${signature}` };
}

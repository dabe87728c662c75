import { createHmac, timingSafeEqual } from 'node:crypto';
import type { WebhookEvent } from './api-types.ts';

export type { WebhookEvent };

/** A payload that failed the verification. */
export class WebhookVerificationError extends Error {
  override readonly name = 'WebhookVerificationError';
}

/** Headers as `fetch`, Node and web frameworks give them. */
export type WebhookHeaders = { get(name: string): string | null } | Readonly<Record<string, string | readonly string[] | undefined>>;

/** How far a payload's time may differ from now, in s. */
const TOLERANCE_S = 300;
const PREFIX = 'whsec_';

function header(headers: WebhookHeaders, name: string): string {
  const record = headers as Readonly<Record<string, string | readonly string[] | undefined>>;
  const written = Object.keys(record).find((key) => key.toLowerCase() === name);
  const value = typeof headers.get === 'function' ? headers.get(name) : written === undefined ? undefined : record[written];
  const text = typeof value === 'object' && value !== null ? value[0] : value;
  if (!text) throw new WebhookVerificationError(`the header ${name} is missing`);
  return text;
}

function decodeSecret(secret: string): Buffer {
  const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret;
  const key = Buffer.from(text, 'base64');
  if (key.length === 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text))
    throw new TypeError('verifyWebhook: a secret must be base64, after whsec_ or alone');
  return key;
}

/** Compares in constant time, so that the time taken reveals nothing about the signature. */
function same(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/**
 * Verifies a webhook's signature and age by the Standard Webhooks specification (https://www.standardwebhooks.com).
 *
 * @param payload the body as received, byte for byte, not parsed
 * @param secret `WEBHOOK_SECRET`; several while it is being replaced
 * @returns the parsed payload
 * @throws WebhookVerificationError that says what is wrong; TypeError if a secret is malformed
 */
export function verifyWebhook(payload: string | Uint8Array, headers: WebhookHeaders, secret: string | readonly string[]): WebhookEvent {
  const keys = [secret].flat().map(decodeSecret);
  const id = header(headers, 'webhook-id');
  const timestamp = header(headers, 'webhook-timestamp');
  const given = header(headers, 'webhook-signature');
  const away = /^\d+$/.test(timestamp) ? Math.abs(Date.now() / 1_000 - Number(timestamp)) : Number.NaN;
  if (Number.isNaN(away)) throw new WebhookVerificationError('the header webhook-timestamp is not a time in seconds');
  if (away > TOLERANCE_S) throw new WebhookVerificationError('the payload is too old, or from the future');
  const signatures = given
    .split(' ')
    .filter((text) => text.startsWith('v1,'))
    .map((text) => Buffer.from(text.slice(3), 'base64'));
  const expected = keys.map((key) => createHmac('sha256', key).update(`${id}.${timestamp}.`).update(payload).digest());
  if (!expected.some((mac) => signatures.some((signature) => same(mac, signature)))) {
    throw new WebhookVerificationError('no signature fits the payload and the secret');
  }
  try {
    return JSON.parse(typeof payload === 'string' ? payload : new TextDecoder().decode(payload)) as WebhookEvent;
  } catch {
    throw new WebhookVerificationError('the payload is not JSON');
  }
}

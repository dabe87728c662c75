import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Session } from './api-types.ts';

/** What Sandman posts to `WEBHOOK_URL`. It may come twice, with the same `webhook-id`, and late. */
export interface WebhookEvent {
  type: 'session.sleep-warning' | 'session.slept' | 'session.woken' | 'session.deleted' | 'session.gone';
  /** When it happened. */
  timestamp: string;
  data: { session: Session; cause?: string };
}

/** A payload that is not to be believed. */
export class WebhookVerificationError extends Error {
  override readonly name = 'WebhookVerificationError';
}

/** As `fetch`, Node and frameworks give them. */
export type WebhookHeaders = { get(name: string): string | null } | Readonly<Record<string, string | readonly string[] | undefined>>;

/** How old, or how far ahead, a payload may be, in s. */
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

function keyOf(secret: string): Buffer {
  const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret;
  const key = Buffer.from(text, 'base64');
  if (key.length === 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text))
    throw new TypeError('verifyWebhook: a secret must be base64, after whsec_ or alone');
  return key;
}

/** In a time that says nothing about the signature. */
function same(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/**
 * Checks a webhook's signature and age as Standard Webhooks asks for it (https://www.standardwebhooks.com).
 *
 * @param payload the body as it came, byte for byte, not parsed
 * @param secret `WEBHOOK_SECRET`; several while it is being replaced
 * @throws WebhookVerificationError that says what is wrong; TypeError on a secret that is none
 */
export function verifyWebhook(payload: string | Uint8Array, headers: WebhookHeaders, secret: string | readonly string[]): WebhookEvent {
  const keys = [secret].flat().map(keyOf);
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

import { createHmac } from 'node:crypto';
import { expect, it } from 'vitest';
import { verifyWebhook, WebhookVerificationError } from './webhooks.ts';

const KEY = Buffer.from('a secret of thirty-two characters');
const SECRET = `whsec_${KEY.toString('base64')}`;
const PAYLOAD = JSON.stringify({ type: 'session.slept', timestamp: '2026-11-24T08:00:00.000Z', data: { session: { uuid: 'one' } } });

function signed({ payload = PAYLOAD, key = KEY, age = 0 }: { payload?: string | Buffer; key?: Buffer; age?: number } = {}) {
  const [id, timestamp] = ['msg_1', `${Math.floor(Date.now() / 1_000) - age}`];
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(payload).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${mac}` };
}

it('takes what is signed with the secret, as text and as bytes, in headers of every kind', () => {
  const headers = signed();
  const event = JSON.parse(PAYLOAD);
  expect(verifyWebhook(PAYLOAD, headers, SECRET)).toEqual(event);
  expect(verifyWebhook(Buffer.from(PAYLOAD), new Headers(headers), SECRET)).toEqual(event);
  const capitals = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), [value]]));
  expect(verifyWebhook(PAYLOAD, capitals, SECRET)).toEqual(event);
});

it('takes the vector of the Standard Webhooks specification', () => {
  // The test vector of the libraries in https://github.com/standard-webhooks/standard-webhooks.
  const mac = createHmac('sha256', Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64'))
    .update('msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}')
    .digest('base64');
  expect(mac).toBe('g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});

it('takes a secret without its prefix, and several while one is being replaced', () => {
  const old = signed({ key: Buffer.from('the one that was there before it') });
  expect(verifyWebhook(PAYLOAD, signed(), KEY.toString('base64'))).toMatchObject({ type: 'session.slept' });
  const secrets = [SECRET, `whsec_${Buffer.from('the one that was there before it').toString('base64')}`];
  expect(verifyWebhook(PAYLOAD, old, secrets)).toMatchObject({ type: 'session.slept' });
  // The sender signs with both secrets.
  const both = { ...signed(), 'webhook-signature': `v1a,other ${old['webhook-signature']} ${signed()['webhook-signature']}` };
  expect(verifyWebhook(PAYLOAD, both, SECRET)).toMatchObject({ type: 'session.slept' });
});

it.each([
  ['another payload', PAYLOAD.replace('one', 'two'), signed(), 'no signature fits'],
  ['another key', PAYLOAD, signed({ key: Buffer.from('x') }), 'no signature fits'],
  ['another id', PAYLOAD, { ...signed(), 'webhook-id': 'msg_2' }, 'no signature fits'],
  ['another time', PAYLOAD, { ...signed(), 'webhook-timestamp': `${Math.floor(Date.now() / 1_000) - 7}` }, 'no signature fits'],
  [
    'another version of the scheme',
    PAYLOAD,
    { ...signed(), 'webhook-signature': signed()['webhook-signature'].replace('v1,', 'v2,') },
    'no signature fits',
  ],
  ['half a signature', PAYLOAD, { ...signed(), 'webhook-signature': signed()['webhook-signature'].slice(0, 20) }, 'no signature fits'],
  ['none', PAYLOAD, { ...signed(), 'webhook-signature': '' }, 'the header webhook-signature is missing'],
  ['no headers', PAYLOAD, new Headers(), 'the header webhook-id is missing'],
  ['a time that is none', PAYLOAD, { ...signed(), 'webhook-timestamp': 'yesterday' }, 'not a time in seconds'],
  ['too old', PAYLOAD, signed({ age: 310 }), 'too old, or from the future'],
  ['from the future', PAYLOAD, signed({ age: -310 }), 'too old, or from the future'],
  ['signed, and no JSON', 'hello', signed({ payload: 'hello' }), 'not JSON'],
])('refuses %s', (_, payload, headers, message) => {
  const verify = () => verifyWebhook(payload, headers, SECRET);
  expect(verify).toThrow(WebhookVerificationError);
  expect(verify).toThrow(message);
});

it.each(['', 'whsec_', 'not base64!'])('says so where the secret is none: %s', (secret) => {
  expect(() => verifyWebhook(PAYLOAD, signed(), secret)).toThrow(TypeError);
});

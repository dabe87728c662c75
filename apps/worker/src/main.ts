import { InvalidInput, PolicySet } from '@sandman/core';
import { EnvError, readEnvOf, runProcess } from '@sandman/runtime';
import { startWorkerProcess } from './assemble.ts';
import { webhookKeyOf } from './webhooks/signature.ts';
import { WebhookClient } from './webhooks/webhook-client.ts';

/** @throws EnvError if the secret is missing or malformed: receivers could not verify webhooks */
function readWebhookKey(secret: string): Buffer {
  try {
    return webhookKeyOf(secret);
  } catch {
    const state = secret === '' ? 'missing' : 'malformed';
    throw new EnvError(`WEBHOOK_SECRET is ${state}: it must be whsec_ and base64 of 24 to 64 bytes where WEBHOOK_URL is set`);
  }
}

await runProcess('worker', async (fail) => {
  const env = readEnvOf('worker', process.env);
  const client = env.WEBHOOK_URL === null ? null : new WebhookClient(env.WEBHOOK_URL, readWebhookKey(env.WEBHOOK_SECRET));
  const own = new PolicySet(env.POLICIES, env.DEFAULT_POLICY);
  const unknown = env.SHADOW_POLICIES.find((name) => !own.get(name));
  if (unknown !== undefined) {
    const names = own.list().map(({ name }) => name);
    throw new InvalidInput('SHADOW_POLICIES', `must name some of ${names.join(', ')}`);
  }
  return startWorkerProcess(env, own, client, fail);
});

import { embeddedRedis } from '@sandman/testing';
import { startStack } from './stack.ts';
import { Demo } from './story.ts';

/** `npm run demo`: a few users on short policies, on real processes; exit 0 only if all of it happened. */
const POLICY = { demo: { sleepAfter: '3s', deleteAfter: '4s' } };
/** The whole story takes about 20 s; past this something hangs. */
const LONGEST_MS = 55_000;

console.log('Starting Redis, a simulated session-manager, an API, a worker, a dashboard and the example chat backend …');
const redis = await embeddedRedis(null);
let failed = 0;
try {
  // Not the rest of its own environment: the demo's users and policies are its own, and so are its pods.
  const own = Object.entries(process.env).filter(([name]) => name === 'PATH' || name.startsWith('OTEL_'));
  const env = {
    ...Object.fromEntries(own),
    KEY_PREFIX: `demo-${process.pid}-${Date.now()}`,
    POLICIES: JSON.stringify(POLICY),
    DEFAULT_POLICY: 'demo',
  };
  const stack = await startStack({ redisUrl: redis.url, usualPorts: false, logs: 'ignore', env });
  const tooLong = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`the demo did not end within ${LONGEST_MS / 1_000} s`)), LONGEST_MS).unref();
  });
  try {
    failed = await Promise.race([new Demo(stack).play(), stack.broken, tooLong]);
  } finally {
    await stack.stop();
  }
} catch (error) {
  failed = 1;
  console.error(`demo: ${(error as Error).message}`);
} finally {
  await redis.stop();
}
process.exit(failed === 0 ? 0 : 1);

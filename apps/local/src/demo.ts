import { findOrStartRedis } from '@sandman/sandbox';
import { startStack } from './stack.ts';
import { Demo } from './story.ts';

/** The policy of `npm run demo`, which plays a few users on real processes and exits with 0 only if all its checks hold. */
const POLICY = { demo: { sleepAfter: '3s', deleteAfter: '4s' } };
/** The longest time the demo may take, in ms. It takes about 20 s; beyond this limit a process hangs. */
const DEMO_TIMEOUT_MS = 55_000;

console.log('Starting Redis, a simulated session-manager, an API, a worker, a dashboard and the example chat backend …');
const redis = await findOrStartRedis(null);
let failed = 0;
try {
  // The rest of the environment is not passed on, so that the demo does not use the caller's policies, session-manager or Redis.
  const own = Object.entries(process.env).filter(([name]) => name === 'PATH' || name.startsWith('OTEL_'));
  const env = {
    ...Object.fromEntries(own),
    KEY_PREFIX: `demo-${process.pid}-${Date.now()}`,
    POLICIES: JSON.stringify(POLICY),
    DEFAULT_POLICY: 'demo',
  };
  const stack = await startStack({ redisUrl: redis.url, usualPorts: false, logs: 'ignore', env });
  const tooLong = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`the demo did not end within ${DEMO_TIMEOUT_MS / 1_000} s`)), DEMO_TIMEOUT_MS).unref();
  });
  try {
    failed = await Promise.race([new Demo(stack).play(), stack.unexpectedExit, tooLong]);
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

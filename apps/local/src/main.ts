import { findOrStartRedis } from '@sandman/sandbox';
import { startStack } from './stack.ts';

/** `npm start`: runs all processes of Sandman on this machine. */
const redis = await findOrStartRedis('.data');
const stack = await startStack({ redisUrl: redis.url, usualPorts: true, env: process.env, logs: 'inherit' }).catch(async (error) => {
  await redis.stop();
  console.error(`sandman: ${error.message}`);
  process.exit(1);
});

const given = process.env;
/** Returns a text to print: the generated value, or the variable's name, so that a given secret is not shown. */
const shownValue = (name: string, generated: string) => (given[name] ? `the one of ${name}` : generated);
const key = given.API_KEYS ? 'the first of API_KEYS' : stack.apiKey;
const sessionManager = shownValue('SESSION_MANAGER_URL', `${stack.sessionManager}   (simulated)`);

console.log(`
Sandman is up.
  API              ${stack.api}   (docs at ${stack.api}/docs)
  key              ${key}
  dashboard        ${stack.dashboard}   (${stack.dashboardUser} / ${shownValue('DASHBOARD_PASSWORD', stack.dashboardPassword)})
  chat backend     ${stack.chatBackend}   (the example)
  session-manager  ${sessionManager}
  Redis            ${redis.what}

Chat as ada; her pod is made, and put to sleep when she is idle:
  curl -sX POST ${stack.chatBackend}/chat/message -H 'Content-Type: application/json' -d '{"userId": "ada", "message": "hello"}'

Or call the API yourself:
  curl -sX POST ${stack.api}/v1/sessions -H 'X-API-Key: ${given.API_KEYS ? 'KEY' : stack.apiKey}' \\
    -H 'Content-Type: application/json' -d '{"userId": "ben", "policy": {"sleepAfter": "10s", "deleteAfter": "1m"}}'

Ctrl-C ends all of it.
`);

// The terminal signals the whole process group, and npm may pass the signal on once more; only the first one counts.
const stopSignal = new Promise<number>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve(0));
});
const code = await Promise.race([
  stopSignal,
  stack.unexpectedExit.catch((error) => {
    console.error(`sandman: ${error.message}`);
    return 1;
  }),
]);
await stack.stop();
await redis.stop();
process.exit(code);

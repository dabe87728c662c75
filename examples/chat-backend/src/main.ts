import { SandmanClient } from '@sandman/client';
import { readEnvOf, runProcess } from '@sandman/runtime';
import { buildChatBackend } from './app.ts';

await runProcess('chat-backend', async () => {
  const env = readEnvOf('chat-backend', process.env);
  const app = buildChatBackend(new SandmanClient({ url: env.SANDMAN_URL, apiKey: env.SANDMAN_API_KEY }));
  const address = await app.listen({ host: env.HOST, port: env.PORT });
  console.log(`The chat backend listens on ${address}`);
  return app;
});

import { SandmanClient } from '@sandman/client';
import { sandmanActivity } from '@sandman/client/fastify';
import Fastify from 'fastify';

// The chat backend that client-outage.test.ts starts as a process. Each answered request to `/chat/:uuid` is reported as
// activity; `/stats` returns the client's counts. Reads `SANDMAN_URL`, `SANDMAN_API_KEY` and `PORT`.
const { SANDMAN_URL = '', SANDMAN_API_KEY = '', PORT } = process.env;
const sandman = new SandmanClient({ url: SANDMAN_URL, apiKey: SANDMAN_API_KEY });
const app = Fastify();

await app.register(sandmanActivity, { client: sandman, session: (request) => request.params.uuid });
app.post('/chat/:uuid', () => ({ reply: 'hello' }));
app.get('/stats', () => sandman.stats());
await app.listen({ host: '127.0.0.1', port: Number(PORT) });

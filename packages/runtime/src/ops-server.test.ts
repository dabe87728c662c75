import { afterEach, beforeEach, expect, it } from 'vitest';
import { type OpsServer, startOpsServer } from './ops-server.ts';

let ready: () => Promise<boolean>;
let server: OpsServer;

beforeEach(async () => {
  ready = async () => true;
  server = await startOpsServer({
    host: '127.0.0.1',
    port: 0,
    ready: () => ready(),
    scrape: async () => 'sandman_sessions{status="active"} 3',
  });
});

afterEach(() => server.close());

const get = async (path: string) => {
  const answer = await fetch(`http://127.0.0.1:${server.port}${path}`);
  return { status: answer.status, body: await answer.text() };
};

it('is live, and ready as long as it is told so', async () => {
  expect((await get('/healthz')).status).toBe(200);
  expect((await get('/readyz')).status).toBe(200);
  ready = async () => false;
  expect((await get('/readyz')).status).toBe(503);
  ready = async () => Promise.reject(new Error('Redis is away'));
  expect((await get('/readyz')).status).toBe(503);
  expect((await get('/healthz')).status).toBe(200);
});

it('answers the metrics, whatever the scraper asks with it', async () => {
  expect(await get('/metrics?source=probe')).toMatchObject({
    status: 200,
    body: expect.stringContaining('sandman_sessions{status="active"} 3'),
  });
});

it('knows nothing else', async () => {
  expect((await get('/')).status).toBe(404);
});

it('says why it cannot listen', async () => {
  const taken = { host: '127.0.0.1', port: server.port, ready, scrape: async () => '' };
  await expect(startOpsServer(taken)).rejects.toThrow('EADDRINUSE');
});

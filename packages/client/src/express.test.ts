import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Request } from 'express';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { sandmanActivity } from './express.ts';

let server: Server;
let pinged: string[];

beforeEach(async () => {
  pinged = [];
  const app = express();
  const client = { activity: (uuid: string) => void pinged.push(uuid) };
  app.use(sandmanActivity({ client, session: (request: Request) => request.get('session') }));
  app.get('/chat', (request, answer) => void answer.status(request.get('session') === 'thief' ? 403 : 200).send('hello'));
  server = app.listen(0);
  await once(server, 'listening');
});

afterEach(async () => {
  server.close();
  await once(server, 'close');
});

it('an answered request is activity of its session, unless it was turned away', async () => {
  for (const session of ['thief', 'one']) {
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/chat`, {
      headers: { session, connection: 'close' },
    });
    expect(await answer.text()).toBe('hello');
  }
  await vi.waitFor(() => expect(pinged).toEqual(['one']));
});

it('asks for no annotation', () => {
  // The compiler must infer the request's type; `npm run check` fails if it cannot.
  const middleware = sandmanActivity({ client: { activity: () => {} }, session: (request) => request.session.uuid });
  expect(middleware).toBeTypeOf('function');
});

import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { sandmanActivity } from './fastify.ts';

let app: FastifyInstance;
let pinged: string[];
const client = { activity: (uuid: string) => void pinged.push(uuid) };

beforeEach(() => {
  app = Fastify();
  pinged = [];
});

afterEach(() => app.close());

const ask = async (session?: string) =>
  fetch(`${await app.listen({ port: 0 })}/chat`, session === undefined ? {} : { headers: { session } });

it('an answered request is activity of its session, also in what is registered elsewhere', async () => {
  await app.register(sandmanActivity, { client, session: (request) => request.headers.session });
  await app.register(async (inner) => {
    inner.get('/chat', () => 'hello');
  });
  expect(await (await ask('one')).text()).toBe('hello');
  await vi.waitFor(() => expect(pinged).toEqual(['one']));
});

it('a request does not wait for the function that gives its session', async () => {
  let tell = (_: string) => {};
  await app.register(sandmanActivity, { client, session: () => new Promise<string>((resolve) => (tell = resolve)) });
  app.get('/chat', () => 'hello');
  expect(await (await ask()).text()).toBe('hello');
  expect(pinged).toEqual([]);
  tell('one');
  await vi.waitFor(() => expect(pinged).toEqual(['one']));
});

it('a request of no session, or one that is turned away, is no activity', async () => {
  let done = 0;
  app.addHook('onResponse', async () => void done++);
  await app.register(sandmanActivity, { client, session: (request) => request.headers.session });
  app.get('/chat', (request, reply) => reply.code(request.headers.session === undefined ? 200 : 401).send('hello'));
  await ask();
  await app.inject({ url: '/chat', headers: { session: 'one' } });
  await vi.waitFor(() => expect(done).toBe(2));
  expect(pinged).toEqual([]);
});

it.each([
  ['throws', () => expect.unreachable('no session')],
  ['rejects', () => Promise.reject(new Error('no session'))],
])('a session that %s breaks no request, and is reported', async (_, session) => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  await app.register(sandmanActivity, { client, session });
  app.get('/chat', () => 'hello');
  expect((await ask()).status).toBe(200);
  await vi.waitFor(() => expect(warn).toHaveBeenCalledWith(expect.stringContaining('no session')));
  warn.mockRestore();
});

it('malformed options end the start', async () => {
  expect(() => app.register(sandmanActivity, { client } as never)).not.toThrow();
  await expect(app.ready()).rejects.toThrow('session must be a function');
});

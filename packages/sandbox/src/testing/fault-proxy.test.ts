import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../free-port.ts';
import { waitFor } from '../wait-for.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';

let echo: Server;
let proxy: FaultProxy;
let clients: Socket[];

beforeEach(async () => {
  clients = [];
  echo = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await startFaultProxy({ host: '127.0.0.1', port: (echo.address() as AddressInfo).port });
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await proxy.close();
  await new Promise((resolve) => echo.close(resolve));
});

/** Opens a connection through the proxy, and notes what it receives and whether it has ended. */
async function open() {
  const socket = connect({ host: proxy.host, port: proxy.port });
  clients.push(socket);
  const heard = { text: '', closed: false };
  socket.on('data', (chunk) => {
    heard.text += chunk;
  });
  socket
    .on('error', () => {})
    .on('close', () => {
      heard.closed = true;
    });
  await once(socket, 'connect');
  return { heard, say: (text: string) => socket.write(text), end: () => socket.end() };
}

type Connection = Awaited<ReturnType<typeof open>>;

async function answered({ heard, say }: Connection, text: string): Promise<number> {
  const from = performance.now();
  const before = heard.text;
  say(text);
  await waitFor(`the echo of ${text}`, () => heard.text === before + text, 3_000);
  return performance.now() - from;
}

it('passes on what comes, both ways, and the end of a connection', async () => {
  const one = await open();
  await answered(one, 'hello');
  expect(proxy.connections()).toBe(1);
  one.end();
  await waitFor('it is over', () => one.heard.closed);
  await waitFor('it is forgotten', () => proxy.connections() === 0);
});

it('delays each direction by what it is told, and keeps the order', async () => {
  const one = await open();
  proxy.delay({ to: 120 });
  expect(await answered(one, 'a')).toBeGreaterThanOrEqual(119);
  proxy.delay({ from: 130, to: 40 });
  expect(await answered(one, 'b')).toBeGreaterThanOrEqual(169);
  one.say('late ');
  // The text is still in the proxy when the delay ends, in one direction or the other; later text must not overtake it.
  await new Promise((resolve) => setTimeout(resolve, 60));
  await proxy.normal();
  one.say('soon');
  await waitFor('both came', () => one.heard.text === 'ablate soon', 3_000);
});

it('keeps the order also where delays come and go while much is under way', async () => {
  const one = await open();
  const said = Array.from({ length: 600 }, (_, i) => `${i} `);
  for (const [i, text] of said.entries()) {
    // Texts sent within a few ms around the end of a delay are due at the same time.
    if (i % 40 === 0) proxy.delay({ from: 20, to: 3 });
    if (i % 40 === 20) await proxy.normal();
    one.say(text);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await waitFor('all came', () => one.heard.text.length === said.join('').length, 3_000);
  expect(one.heard.text).toBe(said.join(''));
});

it('cuts all connections, and takes new ones', async () => {
  const [one, other] = [await open(), await open()];
  proxy.cut();
  await waitFor('both are over', () => one.heard.closed && other.heard.closed);
  await answered(await open(), 'again');
});

it('refuses new connections and keeps the old ones, until it is back to normal', async () => {
  const one = await open();
  await answered(one, 'a');
  await proxy.refuse();
  await proxy.refuse();
  await expect(open()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await answered(one, 'b');
  await proxy.normal();
  await answered(await open(), 'c');
});

it('swallows everything in a blackhole; what lost bytes in it is broken at its end, and nothing else', async () => {
  const [talker, silent] = [await open(), await open()];
  await answered(silent, 'before');
  proxy.blackhole();
  talker.say('lost');
  const newcomer = await open();
  newcomer.say('lost too');
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect([talker.heard, newcomer.heard]).toEqual([
    { text: '', closed: false },
    { text: '', closed: false },
  ]);
  await proxy.normal();
  await waitFor('both are over', () => talker.heard.closed && newcomer.heard.closed);
  await answered(silent, 'after');
});

describe('bad input is refused, and changes nothing', () => {
  it.each([-1, Number.NaN, 60_001, Number.POSITIVE_INFINITY, '5' as unknown as number, null as unknown as number])(
    'a delay of %s',
    async (ms) => {
      proxy.delay({ to: 60 });
      expect(() => proxy.delay({ from: ms })).toThrow('delay.from must be 0 to 60000 ms');
      expect(() => proxy.delay({ to: ms, from: 1 })).toThrow(RangeError);
      expect(await answered(await open(), 'a')).toBeGreaterThanOrEqual(59);
    },
  );

  it.each([undefined, null, 5, 'slow', [[5]], { too: 5 }, { to: 5, form: 5 }])('what is no delay: %j', async (delay) => {
    proxy.delay({ to: 60 });
    expect(() => proxy.delay(delay as never)).toThrow('a delay is {to, from} in ms');
    expect(await answered(await open(), 'a')).toBeGreaterThanOrEqual(59);
  });

  it.each([
    undefined,
    null,
    {},
    { host: '', port: 1 },
    { host: 'localhost', port: 0 },
    { host: 'localhost', port: -1 },
    { host: 'localhost', port: 65_536 },
    { host: 'localhost', port: Number.NaN },
    { host: 'localhost', port: 1.5 },
    { host: 'localhost', port: '80' },
    { host: 7, port: 80 },
  ])('a target of %j', async (target) => {
    await expect(startFaultProxy(target as never)).rejects.toThrow('{host, port} with a port from 1 to 65535');
  });

  it('a target that nobody listens on', async () => {
    const port = await freePort();
    await expect(startFaultProxy({ host: '127.0.0.1', port })).rejects.toThrow(`127.0.0.1:${port} cannot be reached`);
  });
});

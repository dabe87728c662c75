import { execFile } from 'node:child_process';
import { inspect, promisify } from 'node:util';
import { freePort } from '@sandman/sandbox';
import { expect, it } from 'vitest';
import { SandmanClient } from './client.ts';
import { SandmanError } from './errors.ts';
import { accepting, answerJson, answerProblem, startServer } from './server.fixture.ts';

const KEY = 'a-key-that-nobody-may-see';

it.each([
  [undefined, 'options must be'],
  [{ apiKey: KEY }, 'url must be an http'],
  [{ url: 'sandman:3000', apiKey: KEY }, 'url must be an http'],
  [{ url: 'ftp://sandman', apiKey: KEY }, 'url must be an http'],
  [{ url: `http://user:${KEY}@sandman`, apiKey: KEY }, 'url must not carry credentials'],
  [{ url: 'http://sandman?a=b', apiKey: KEY }, 'url must not carry'],
  [{ url: 'http://sandman' }, 'apiKey must be'],
  [{ url: 'http://sandman', apiKey: `${KEY}\n` }, 'apiKey must be'],
  [{ url: 'http://sandman', apiKey: '' }, 'apiKey must be'],
  [{ url: 'http://sandman', apiKey: KEY, timeout: 0 }, 'timeout must be a whole number from 1 to 600000'],
  [{ url: 'http://sandman', apiKey: KEY, timeout: '5s' }, 'timeout must be'],
  [{ url: 'http://sandman', apiKey: KEY, activity: { maxBuffered: Number.NaN } }, 'activity.maxBuffered must be'],
  [{ url: 'http://sandman', apiKey: KEY, activity: null }, 'activity must be'],
  [{ url: 'http://sandman', apiKey: KEY, onDrop: 'log' }, 'onDrop must be a function'],
  [{ url: 'http://sandman', apiKey: KEY, fetch: {} }, 'fetch must be a function'],
])('malformed options are refused at once: %o', (options, message) => {
  const make = () => new SandmanClient(options as never);
  expect(make).toThrow(message);
  expect(make).toThrow(TypeError);
  expect(make).not.toThrow(KEY);
});

it('its key shows in nothing that it gives', async () => {
  const client = new SandmanClient({ url: `http://127.0.0.1:${await freePort()}`, apiKey: KEY, onDrop: () => {} });
  const error = await client.policies().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(SandmanError);
  client.activity('one');
  for (const shown of [client, client.sessions, error]) {
    expect(inspect(shown, { depth: 20, showHidden: true, getters: true })).not.toContain(KEY);
    expect(JSON.stringify(shown)).not.toContain(KEY);
  }
  await client.close({ timeout: 0 });
});

it('takes an address below a path', async () => {
  const server = await startServer((_, answer) => answerJson(answer, 200, { default: 'balanced', items: [] }));
  await new SandmanClient({ url: `${server.url}/sandman/`, apiKey: KEY }).policies();
  expect(server.received.map(({ path }) => path)).toEqual(['/sandman/v1/policies']);
  await server.close();
});

it('does not keep a process alive, unless that waits for it', async () => {
  const run = (last: string, port: number) => {
    const script = `
      import { SandmanClient } from ${JSON.stringify(new URL('./client.ts', import.meta.url).href)};
      const client = new SandmanClient({ url: 'http://127.0.0.1:${port}', apiKey: 'test-key', onDrop: ({ reason }) => console.log(reason) });
      client.activity('one');
      await new Promise((resolve) => setTimeout(resolve, 400));
      ${last}`;
    return promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 });
  };
  const port = await freePort();
  expect((await run('', port)).stdout).toBe('');
  expect((await run('await client.close({ timeout: 300 });', port)).stdout).toBe('closed\n');
  const busy = await startServer((_, answer) => void answer.writeHead(503, { 'retry-after': '120' }).end());
  expect((await run('await client.close({ timeout: 300 });', busy.port)).stdout).toBe('closed\n');
  await busy.close();
  const server = await startServer((received, answer) =>
    server.received.length < 5 ? answerProblem(answer, 500, 'internal') : accepting(received, answer),
  );
  expect((await run('await client.flush(); console.log(client.stats().sent);', server.port)).stdout).toBe('1\n');
  await server.close();
});

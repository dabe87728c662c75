import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { programFile } from '@sandman/sandbox';
import { expect, it } from 'vitest';

function start(env: Record<string, string>) {
  const child = spawn(process.execPath, [programFile(new URL('./main.ts', import.meta.url))], {
    env: { PATH: process.env.PATH, HOST: '127.0.0.1', ...env },
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  return { child, exited: once(child, 'close').then(([code]) => code as number), errors: () => errors };
}

it.each([
  ['SIM_API_KEY', {}],
  ['SIM_PORT', { SIM_API_KEY: 'k', SIM_PORT: 'http' }],
])('a bad %s is one line and exit code 2', async (variable, env) => {
  const { exited, errors } = start(env as Record<string, string>);
  expect(await exited).toBe(2);
  expect(errors().trim().split('\n')).toHaveLength(1);
  expect(errors()).toContain(variable);
});

it('says in one line where it listens; a second signal changes nothing, it ends with 0', async () => {
  const { child, exited, errors } = start({ SIM_API_KEY: 'k', SIM_PORT: '0' });
  const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  child.kill('SIGTERM');
  child.kill('SIGINT');
  expect(await exited).toBe(0);
  expect(errors()).toBe('');
});

import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Ended, runNode } from './node.fixture.ts';

const preamble = `
  import { InvalidInput } from '@sandman/core';
  import { readEnv } from './env.ts';
  import { runProcess } from './process.ts';
`;

/** Runs a process that starts with `start`, the body of an async function. */
const run = (start: string) => runNode(`${preamble} await runProcess('probe', async () => { ${start} });`);

/** Runs a process until it prints `up`; it then keeps running, and its `close` runs the code given. */
async function up(close: string) {
  const it = run(`setInterval(() => {}, 1e6); console.log('up'); return { async close() { console.log('closing'); ${close} } };`);
  await said(it, 'up');
  return it;
}

async function said({ child, stdout }: ReturnType<typeof run>, word: string): Promise<void> {
  while (!stdout().includes(word)) await once(child.stdout!, 'data');
}

describe('a start that fails', () => {
  const cases: [string, string, number, string][] = [
    [
      'a missing variable',
      'readEnv({}, ["REDIS_URL"])',
      2,
      "probe: REDIS_URL is missing: it must be redis://… or rediss://… with one server's address or several of a Cluster, or redis+sentinel://…/NAME\n",
    ],
    ['a bad policy', 'throw new InvalidInput("DEFAULT_POLICY", "must be one of a, b")', 2, 'probe: DEFAULT_POLICY must be one of a, b\n'],
    ['anything else', 'throw new Error("listen EADDRINUSE\\nmore")', 1, 'probe: listen EADDRINUSE\n'],
  ];
  it.each(cases)('by %s is one line and an exit code', async (_, start, code, stderr) => {
    expect(await run(start).ended).toEqual<Ended>({ code, stdout: '', stderr });
  });
});

describe('a signal', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('%s closes and exits 0', async (signal) => {
    const { child, ended } = await up('');
    child.kill(signal);
    expect(await ended).toEqual<Ended>({ code: 0, stdout: 'up\nclosing\n', stderr: '' });
  });

  it('that arrives twice at once closes once and cuts nothing short', async () => {
    const probe = await up('await new Promise((resolve) => setTimeout(resolve, 300)); console.log("closed");');
    probe.child.kill('SIGINT');
    await said(probe, 'closing');
    probe.child.kill('SIGINT');
    expect(await probe.ended).toEqual<Ended>({ code: 0, stdout: 'up\nclosing\nclosed\n', stderr: '' });
  });

  it('SIGINT more than a second after the first forces the end', async () => {
    const probe = await up('await new Promise(() => {});');
    probe.child.kill('SIGINT');
    await said(probe, 'closing');
    // A real second: the test is about this time.
    await setTimeout(1_050);
    probe.child.kill('SIGINT');
    expect((await probe.ended).code).toBe(130);
  });

  it('while it starts closes it when it is whole', async () => {
    const probe = run(`
      console.log('starting');
      await new Promise((resolve) => setTimeout(resolve, 300));
      return { async close() { console.log('closed'); } };
    `);
    await said(probe, 'starting');
    probe.child.kill('SIGTERM');
    expect(await probe.ended).toEqual<Ended>({ code: 0, stdout: 'starting\nclosed\n', stderr: '' });
  });
});

it('an uncaught error closes and exits 1', async () => {
  const { ended } = run(`
    setTimeout(() => { throw new Error('boom'); }, 10);
    return { async close() { console.log('closed'); } };
  `);
  expect(await ended).toMatchObject({ code: 1, stdout: 'closed\n', stderr: expect.stringContaining('probe: Error: boom') });
});

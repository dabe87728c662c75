import { findDatabase, freePort } from '@sandman/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sandman, startProgram } from '../../packages/cli/src/cli.fixture.ts';
import { LostFleet } from './lost-fleet.ts';

/** Other tests run these commands in the test's own process. Here each runs as a process: it succeeds once and is refused once. */
describe('as a process of its own', () => {
  describe('on Redis and the ledger', () => {
    let fleet: LostFleet;
    beforeAll(async () => {
      fleet = await LostFleet.start(await findDatabase('postgres'), { apis: 0, workers: 0 });
      await fleet.plant({ awake: { status: 'active', replicas: 1 }, asleep: { status: 'sleeping', replicas: 0 } });
    });
    afterAll(() => fleet?.[Symbol.asyncDispose]());

    it('restore rebuilds a Redis', async () => {
      const restored = await sandman(['restore', '--json'], fleet.env);
      expect(restored.code, restored.stderr).toBe(0);
      expect(JSON.parse(restored.stdout)).toMatchObject({ restored: { active: 1, sleeping: 1 }, failed: [] });
    });

    it('audit finds nothing wrong with it', async () => {
      const audited = await sandman(['audit'], fleet.env);
      expect(audited.code, audited.stderr).toBe(0);
    });

    it('a second restore is refused', async () => {
      const again = await sandman(['restore'], fleet.env);
      expect(again).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('sandman: Redis is not empty') });
    });

    it.each(['restore', 'audit'])('%s is refused without a database', async (command) => {
      const { DATABASE_URL: _, ...without } = fleet.env;
      expect(await sandman([command], without)).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringContaining('DATABASE_URL is missing'),
      });
    });

    it('restore needs a Redis that answers', async () => {
      const dead = { ...fleet.env, REDIS_URL: `redis://127.0.0.1:${await freePort()}` };
      expect(await sandman(['restore'], dead)).toMatchObject({
        code: 3,
        stdout: '',
        stderr: expect.stringContaining('Redis cannot be reached'),
      });
    });
  });

  it('trace generate writes a trace, which simulate reads', async () => {
    const made = await sandman(['trace', 'generate', '--sessions', '2', '--days', '1'], {});
    expect(made.code, made.stderr).toBe(0);
    expect(made.stdout).toMatch(/^\{"uuid":"[^"]+","at":"2026-01-05T/);
    const tried = await sandman(['simulate', '-', '--policy', 'balanced', '--json'], {}, made.stdout);
    expect(tried.code, tried.stderr).toBe(0);
    expect(JSON.parse(tried.stdout)).toMatchObject({ policies: [{ name: 'balanced' }] });
    expect(await sandman(['trace', 'generate', '--days', '367'], {})).toMatchObject({ code: 2, stdout: '' });
  });

  it('trace import reads an access log', async () => {
    const line = '127.0.0.1 - - [05/Jan/2026:09:00:00 +0000] "POST /chat/ada/message HTTP/1.1" 200 1 "-" "-"\n';
    const from = ['--session-from', 'path:/chat/:session/message'];
    const made = await sandman(['trace', 'import', '-', ...from], {}, line);
    expect(made).toMatchObject({ code: 0, stdout: '{"uuid":"ada","at":"2026-01-05T09:00:00.000Z"}\n' });
    const missing = await sandman(['trace', 'import', '/no/such/file', ...from], {});
    expect(missing).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('/no/such/file') });
  });

  it('completion prints a script that a shell can read', async () => {
    const { code, stdout } = await sandman(['completion', 'bash'], {});
    expect(code).toBe(0);
    const read = await startProgram('bash', ['--norc', '-n'], {}, stdout).ended;
    expect(read).toMatchObject({ code: 0, stderr: '' });
    expect(await sandman(['completion', 'sh'], {})).toMatchObject({ code: 2, stdout: '' });
  });
});

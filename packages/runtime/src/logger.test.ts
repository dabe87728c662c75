import { expect, it } from 'vitest';
import { runNode } from './node.fixture.ts';

it('the logger writes neither keys in headers nor the arguments of Redis commands', async () => {
  const { stdout } = await runNode(`
    import { createLogger } from './logger.ts';
    const logger = createLogger('info', 'probe');
    const headers = { 'x-api-key': 'hunter2', authorization: 'Bearer hunter2', cookie: 'hunter2', host: 'kept' };
    logger.info({ req: { headers } });
    logger.info({ headers });
    // The error that ioredis throws when Redis refuses a login.
    logger.warn({ err: Object.assign(new Error('WRONGPASS'), { command: { name: 'hello', args: ['3', 'AUTH', 'default', 'hunter2'] } }) });
    // The error of a Cluster holds that of its last node.
    const refused = Object.assign(new Error('NOAUTH'), { command: { name: 'hello', args: ['hunter2'] } });
    logger.warn({ err: Object.assign(new Error('None is left', { cause: undefined }), { lastNodeError: refused, code: 'EALL' }) });
  `).ended;
  expect(stdout.trim().split('\n')).toHaveLength(4);
  for (const known of ['NOAUTH', 'None is left', 'EALL']) expect(stdout).toContain(known);
  expect(stdout).not.toContain('hunter2');
  expect(stdout).toContain('kept');
  expect(stdout).toContain('WRONGPASS');
});

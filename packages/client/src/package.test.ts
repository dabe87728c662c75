import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const SUBPATHS = ['', '/browser', '/express', '/fastify', '/webhooks'];
/** The Node of the machine, which may be older than the one that runs the tests. */
const SYSTEM_NODE = '/usr/bin/node';

let consumer: string;
let built: string;

beforeAll(() => {
  consumer = mkdtempSync(join(tmpdir(), 'sandman-client-'));
  built = join(consumer, 'built');
  execFileSync(process.execPath, [join(import.meta.dirname, '../build.ts'), built], { stdio: 'inherit' });
  const installed = join(consumer, 'node_modules/@sandman/client');
  mkdirSync(installed, { recursive: true });
  cpSync(built, installed, { recursive: true });
  writeFileSync(join(consumer, 'package.json'), '{"type": "module"}');
});

afterAll(() => rmSync(consumer, { recursive: true, force: true }));

function compile(source: string): string {
  const options = {
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2022', 'dom', 'esnext.disposable'],
    types: [],
    strict: true,
    noEmit: true,
  };
  writeFileSync(join(consumer, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['consumer.ts'] }));
  writeFileSync(join(consumer, 'consumer.ts'), source);
  try {
    return execFileSync('tsc', ['-p', consumer], { encoding: 'utf8' });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

it('publint finds nothing wrong in the package', async () => {
  const { messages, pkg } = await publint({ pkgDir: built, strict: true, pack: false });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

it('the declared types match the code for every way to import ESM', async () => {
  const [{ filename }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', consumer], { cwd: built, encoding: 'utf8' }),
  );
  const { problems } = (await checkPackage(createPackageFromTarballData(readFileSync(join(consumer, filename))))) as {
    problems: { kind: string; resolutionKind?: string }[];
  };
  // Not supported: `require` before Node 20.19, and resolution without `exports`.
  expect(problems.filter(({ kind, resolutionKind }) => kind !== 'CJSResolvesToESM' && resolutionKind !== 'node10')).toEqual([]);
});

it('the package contains its licence and README, and no tests', () => {
  for (const file of ['LICENSE', 'README.md']) expect(existsSync(join(built, file))).toBe(true);
  const listed = JSON.parse(execFileSync('npm', ['pack', '--json', '--dry-run'], { cwd: built, encoding: 'utf8' }))[0].files as {
    path: string;
  }[];
  expect(listed.filter(({ path }) => /test|fixture/.test(path))).toEqual([]);
  const published = JSON.parse(readFileSync(join(built, 'package.json'), 'utf8'));
  expect(published).toMatchObject({ name: '@sandman/client', type: 'module', sideEffects: false, engines: { node: '>=20' } });
  expect(Object.keys(published)).not.toEqual(expect.arrayContaining(['private']));
  expect(published.dependencies).toBeUndefined();
});

describe('a project that installed the client', () => {
  it.each([process.execPath, ...(existsSync(SYSTEM_NODE) ? [SYSTEM_NODE] : [])])('the installed package runs on %s', (node) => {
    const imports = SUBPATHS.map((subpath) => `Object.keys(await import('@sandman/client${subpath}'))`);
    const script = `
      const { SandmanClient } = await import('@sandman/client');
      const client = new SandmanClient({ url: 'http://127.0.0.1:9', apiKey: 'test-key', onDrop: () => {} });
      client.activity('one');
      await client.close({ timeout: 100 });
      console.log(JSON.stringify([${imports}, client.stats()]));`;
    const run = execFileSync(node, ['--input-type=module', '-e', script], { cwd: consumer, encoding: 'utf8' });
    expect(JSON.parse(run)).toEqual([
      ['SandmanClient', 'SandmanError'],
      ['onLeave'],
      ['sandmanActivity'],
      ['sandmanActivity'],
      ['WebhookVerificationError', 'verifyWebhook'],
      { buffered: 0, sent: 0, dropped: 1 },
    ]);
  });

  it('only /webhooks imports modules of Node', () => {
    const files = readdirSync(built).filter((file) => file.endsWith('.js') && file !== 'webhooks.js');
    expect(files).toContain('index.js');
    for (const file of files) expect(readFileSync(join(built, file), 'utf8')).not.toMatch(/node:|from '[^.]/);
  });

  it('compiles against its types, without the types of Node, Express or Fastify', () => {
    const source = `
      import { SandmanClient, SandmanError, type Session } from '@sandman/client';
      import { onLeave } from '@sandman/client/browser';
      import { sandmanActivity as express } from '@sandman/client/express';
      import { sandmanActivity as fastify } from '@sandman/client/fastify';
      import { verifyWebhook, type WebhookEvent } from '@sandman/client/webhooks';
      await using client = new SandmanClient({ url: 'http://sandman', apiKey: 'key', onDrop: ({ count, reason }) => console.warn(count, reason) });
      client.activity('one', { kind: 'background' });
      const session: Session = await client.sessions.hold('one', { for: '1h' });
      for await (const event of client.events()) if (event.type === 'status') console.log(event.to);
      const event: WebhookEvent = verifyWebhook('', new Headers(), ['whsec_']);
      export { express, event, fastify, onLeave, SandmanError, session };`;
    expect(compile(source)).toBe('');
    expect(compile(`${source}\nclient.activity(7);`)).toContain("not assignable to parameter of type 'string'");
  });
});

import { execFile } from 'node:child_process';
import crypto from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, vi } from 'vitest';
import { freePort, isPortFree } from './free-port.ts';

const file = (port: number) => join(tmpdir(), `sandman-ports-${process.getuid?.() ?? 'user'}`, `${port}`);

it('processes that ask at the same time are never given the same port', async () => {
  const ask = `
    import { freePort } from ${JSON.stringify(new URL('./free-port.ts', import.meta.url).href)};
    const ports = await Promise.all(Array.from({ length: 300 }, freePort));
    console.log(JSON.stringify(ports));
    await new Promise((resolve) => process.stdin.resume().on('end', resolve));`;
  const children = Array.from({ length: 4 }, () => {
    const asking = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', ask]);
    let out = '';
    asking.child.stdout!.on('data', (chunk) => {
      out += chunk;
    });
    return { asking, out: () => out };
  });
  // Each process keeps its ports until all processes have theirs.
  await vi.waitFor(() => expect(children.every(({ out }) => out().includes(']'))).toBe(true), 20_000);
  for (const { asking } of children) asking.child.stdin!.end();
  const ports = (await Promise.all(children.map(({ asking }) => asking))).flatMap(({ stdout }) => JSON.parse(stdout) as number[]);
  expect(ports).toHaveLength(1_200);
  expect(new Set(ports).size).toBe(1_200);
});

it('the reservation of a process that is gone is void', async () => {
  const [port, kept] = [await freePort(), await freePort()];
  writeFileSync(file(port), '2147483646');
  const drawn = vi.spyOn(crypto, 'randomInt').mockImplementation(() => draws.shift()!);
  // The first draw of `port` removes the reservation of a process that has ended; the second gets it. `kept` is refused.
  const draws = [port, kept, port];
  expect(await freePort()).toBe(port);
  expect(draws).toEqual([]);
  drawn.mockRestore();
});

it('no port is given that fetch refuses to call', async () => {
  const [port, blocked] = [await freePort(), 10_080];
  rmSync(file(port));
  await expect(fetch(`http://127.0.0.1:${blocked}`)).rejects.toHaveProperty('cause.message', 'bad port');
  const draws = [blocked, port];
  const drawn = vi.spyOn(crypto, 'randomInt').mockImplementation(() => draws.shift()!);
  expect(await freePort()).toBe(port);
  drawn.mockRestore();
});

it('a port that a server listens on is not free', async () => {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  expect(await isPortFree(port)).toBe(false);
  await new Promise((resolve) => server.close(resolve));
  expect(await isPortFree(port)).toBe(true);
});

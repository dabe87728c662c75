import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isAlive, soak, startSoak } from '../soak/soak.fixture.ts';

it('a short soak finds that memory is bounded, and prints how it was', async () => {
  const { code, stdout, stderr } = await soak('--minutes', '0.5', '--sessions', '80');
  expect(stderr).toBe('');
  expect(stdout).toMatch(
    /^\s+\d+ s · \d+ alive · \d+ pings · \d+ × 503 · .* · api 1 \d+ · api 2 \d+ · worker 1 \d+ · worker 2 \d+ · redis \d+ MB$/m,
  );
  const [, pings, sleeps, wakes, deletes] = (/.* (\d+) pings .* (\d+) sleeps · (\d+) wakes · (\d+) deletes/s.exec(stdout) ?? []).map(
    Number,
  );
  // Shows that there was activity; the amount depends on the machine.
  expect(pings).toBeGreaterThan(500);
  for (const turns of [sleeps, wakes, deletes]) expect(turns).toBeGreaterThan(10);
  for (const part of ['api 1', 'api 2', 'worker 1', 'worker 2', 'redis']) {
    expect(stdout).toMatch(new RegExp(`^${part} +(-?[\\d.]+ MB +){4}bounded$`, 'm'));
  }
  expect(stdout).toMatch(/^session-manager \(simulated\) is not judged/m);
  expect(stdout).toMatch(/^Memory is bounded\.$/m);
  expect(code).toBe(0);
}, 180_000);

describe.skipIf(process.platform !== 'linux')('every process it started ends', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'at a %s',
    async (signal) => {
      const { child, started, exited, stdout } = await startSoak();
      child.kill(signal);
      expect(await exited).toEqual([130, null]);
      expect(stdout()).toMatch(/^interrupted: no verdict$/m);
      expect(started.filter(isAlive)).toEqual([]);
    },
    60_000,
  );

  it('when its reader leaves early, as with `| head`', async () => {
    const { child, started, exited } = await startSoak();
    child.stdout.destroy();
    expect(await exited).toEqual([130, null]);
    expect(started.filter(isAlive)).toEqual([]);
  }, 60_000);

  it('when one of them dies, which is reported', async () => {
    const { started, exited, stderr } = await startSoak();
    const worker = started.find((pid) => /\bapps\/worker\//.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')));
    process.kill(worker!, 'SIGKILL');
    expect(await exited).toEqual([1, null]);
    expect(stderr()).toMatch(/worker \d does not answer/);
    expect(started.filter(isAlive)).toEqual([]);
  }, 60_000);
});

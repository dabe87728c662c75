import { describe, expect, it } from 'vitest';
import { SMOKE_MS, smoke } from '../bench.fixture.ts';

// The measured speeds mean nothing here, because fleets are tiny and there is one round.
describe('benchmarks run, and what they write can be read', () => {
  it(
    'pings',
    () => {
      const figures = smoke('pings');
      expect(new Set(figures.map(({ group }) => group))).toEqual(new Set(['100 sessions', '1,000 sessions']));
      const pinged = figures.filter(({ unit }) => unit === 'pings/s').map(({ what }) => what);
      const all = ['floor', 'Sandman', 'Sandman, 25 % slack', 'changeDelay', 'remove + add', 'deduplication', 'ZSET'];
      expect(new Set(pinged)).toEqual(new Set(all));
      // A contestant that does not move its alarms would look fast.
      const moves = (what: string) => figures.filter((one) => one.what === `${what}: alarms moved per ping`).map(({ median }) => median);
      for (const way of ['changeDelay', 'deduplication', 'remove + add']) {
        expect(moves(way), way).not.toEqual([]);
        for (const each of moves(way)) expect(each, way).toBeGreaterThanOrEqual(1);
      }
    },
    SMOKE_MS,
  );

  it.each([
    ['batches', ['batched events', 'batched events ÷ the script pipelined through ioredis', 'the script pipelined through ioredis']],
    ['lateness', ['Sandman: p99', 'poller, 50 ms: p99', '5-minute scan: p99']],
    ['burst', ['bare BullMQ and POST', 'Sandman, 1 worker', 'Sandman, 2 workers']],
    ['growth', ['pings, no moves', 'pings, each moves both alarms', 'batched events']],
    ['chat', ['through Sandman: p50', 'added by Sandman: p50', 'added by Sandman: p99']],
    ['start', ['API, start to ready']],
  ])(
    '%s',
    (name, whats) => {
      const found = new Set(smoke(name).map(({ what }) => what));
      for (const what of whats) expect([...found]).toContain(what);
    },
    SMOKE_MS,
  );
});

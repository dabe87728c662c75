import { expect, it } from 'vitest';
import { SMOKE_MS, smoke } from '../bench.fixture.ts';

// In a file of its own, because both benchmarks mostly wait.
it.each([
  ['attacks', ['a ping is answered: p99', 'pings that are not taken', 'the longest time without a heartbeat']],
  ['broken', ['a live user waits for the wake: p99', 'the last of 100 users is served after its return']],
])(
  'the benchmark %s runs, and what it writes can be read',
  (name, whats) => {
    const found = new Set(smoke(name).map(({ what }) => what));
    for (const what of whats) expect([...found]).toContain(what);
  },
  SMOKE_MS,
);

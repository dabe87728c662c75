import type { SeenWorker } from '@sandman/store';
import { expect, it } from 'vitest';
import { type Signs, troublesOf } from './health.ts';

const worker = (more: Partial<SeenWorker> = {}): SeenWorker => ({
  id: 'w',
  host: 'node-1',
  pid: 7,
  upFor: 60_000,
  trouble: null,
  troubleFor: 0,
  sweptAgo: 100,
  seenAgo: 500,
  ...more,
});
const well: Signs = { workers: [worker()], backlog: { sleep: 3, delete: 0, wake: 1 }, beatAgo: 80, repairs: 0 };

it('nothing is said when all is well', () => {
  expect(troublesOf(well)).toEqual([]);
});

it.each<[string, Partial<Signs>, string, string]>([
  ['no worker at all', { workers: [] }, 'bad', 'No worker is alive'],
  ['only workers that went silent', { workers: [worker({ seenAgo: 11_000 })] }, 'bad', 'No worker is alive'],
  ['one of two went silent', { workers: [worker(), worker({ seenAgo: 90_000 })] }, 'warn', 'Worker node-1/7 went without a word, 90 s ago'],
  ['the session-manager fails', { workers: [worker({ trouble: 'failing', troubleFor: 4_500 })] }, 'bad', 'since 5 s: it fails'],
  ['a wrong address', { workers: [worker({ trouble: 'not-found' })] }, 'bad', 'is its address right?'],
  ['one circuit of two', { workers: [worker(), worker({ trouble: 'failing' })] }, 'bad', 'Calls of 1 of 2 workers wait'],
  ['APIs gone', { beatAgo: 2_500 }, 'bad', 'No API takes pings since 3 s'],
  ['no API ever', { beatAgo: null }, 'bad', 'No API takes pings: until'],
  ['more due than is done', { backlog: { sleep: 90, delete: 11, wake: 0 } }, 'warn', '101 alarms are due'],
  ['a repair', { repairs: 1 }, 'warn', '1 session had lost'],
])('%s is said', (_, signs, level, what) => {
  const troubles = troublesOf({ ...well, ...signs });
  expect(troubles).toHaveLength(1);
  expect(troubles[0]).toMatchObject({ level, what: expect.stringContaining(what) });
});

it('the worst comes first', () => {
  const troubles = troublesOf({ workers: [], backlog: { sleep: 500, delete: 0, wake: 0 }, beatAgo: null, repairs: 2 });
  expect(troubles.map(({ level }) => level)).toEqual(['bad', 'bad', 'warn', 'warn']);
});

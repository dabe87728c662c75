import type { SeenWorker } from '@sandman/store';
import { expect, it } from 'vitest';
import { type HealthFigures, healthIssues } from './health.ts';

const worker = (more: Partial<SeenWorker> = {}): SeenWorker => ({
  id: 'w',
  host: 'node-1',
  pid: 7,
  upFor: 60_000,
  trouble: null,
  troubleFor: 0,
  sweptAgo: 100,
  clockAhead: 0,
  seenAgo: 500,
  ...more,
});
const NONE = { sleep: 0, delete: 0, wake: 0 };
const well: HealthFigures = {
  sessions: 7,
  workers: [worker()],
  backlog: { sleep: 3, delete: 0, wake: 1 },
  late: { sleep: 29_000, delete: 100, wake: 4_000 },
  failing: { count: 2, longest: 9_000, lastError: 'sleep: HTTP 500', userWaits: true },
  beatAgo: 80,
  repairs: [
    { at: 0, ago: 60_000, kind: 'unarmed', uuid: '', count: 5 },
    { at: 0, ago: 3_700_000, kind: 'missing', uuid: 's1', count: 1 },
  ],
};
const failing = (more: Partial<HealthFigures['failing']>): HealthFigures['failing'] => ({
  count: 1,
  longest: 300_000,
  lastError: 'wake: HTTP 500',
  userWaits: false,
  ...more,
});

it('nothing is said when all is well', () => {
  expect(healthIssues(well)).toEqual([]);
});

it.each<[string, Partial<HealthFigures>, string, string]>([
  ['no worker', { workers: [] }, 'bad', 'No worker is alive'],
  ['no worker, and nothing to do', { workers: [], sessions: 0 }, 'warn', 'No worker has reported yet'],
  ['only workers that went silent', { workers: [worker({ seenAgo: 11_000 })] }, 'bad', 'No worker is alive'],
  ['one of two went silent', { workers: [worker(), worker({ seenAgo: 90_000 })] }, 'warn', 'node-1/7 went without a word 90 s ago'],
  ['the session-manager fails', { workers: [worker({ trouble: 'failing', troubleFor: 4_500 })] }, 'bad', 'since 5 s: it fails'],
  ['a wrong address', { workers: [worker({ trouble: 'not-found' })] }, 'bad', 'Look at its address'],
  ['one circuit of two', { workers: [worker(), worker({ trouble: 'failing' })] }, 'bad', 'Calls of 1 of 2 workers wait'],
  ['a sweep that stands still', { workers: [worker({ sweptAgo: 130_000 })] }, 'warn', 'The sweep has not gone round for 2 min'],
  ['a sweep that never came', { workers: [worker({ sweptAgo: null, upFor: 70_000 })] }, 'warn', 'The sweep has not gone round for 71 s'],
  ['APIs gone', { beatAgo: 2_500 }, 'bad', 'No API takes pings since 3 s'],
  ['no API ever', { beatAgo: null }, 'warn', 'No API has taken pings yet'],
  ['a wake that nobody serves', { late: { ...NONE, wake: 6_000 } }, 'bad', 'Users wait for their pods: a wake that is due since 6 s'],
  ['a delete that nobody serves', { late: { ...NONE, delete: 31_000 } }, 'warn', 'A delete that is due since 31 s'],
  ['a sleep that fails', { failing: failing({}) }, 'warn', 'The calls of one session fail, for 5 min by now (wake: HTTP 500)'],
  ['wakes that fail', { failing: failing({ count: 4, userWaits: true }) }, 'bad', 'The calls of 4 sessions fail'],
  ['more due than is done', { backlog: { sleep: 90, delete: 11, wake: 0 } }, 'warn', '101 alarms are due'],
  ['a lost alarm', { repairs: [{ at: 0, ago: 60_000, kind: 'late', uuid: 's1', count: 1 }] }, 'warn', 'One session had lost an alarm'],
])('%s is said', (_, signs, level, what) => {
  const troubles = healthIssues({ ...well, ...signs });
  expect(troubles).toHaveLength(1);
  expect(troubles[0]).toMatchObject({ level, what: expect.stringContaining(what) });
});

it('a worker that is lost is not reported for ever', () => {
  expect(healthIssues({ ...well, workers: [worker(), worker({ seenAgo: 700_000 })] })).toEqual([]);
});

it('the worst comes first', () => {
  const workers = [worker({ sweptAgo: 100_000, trouble: 'failing' })];
  const troubles = healthIssues({ ...well, workers, backlog: { sleep: 500, delete: 0, wake: 0 }, late: { ...NONE, wake: 9_000 } });
  expect(troubles.map(({ level }) => level)).toEqual(['bad', 'bad', 'warn', 'warn']);
});

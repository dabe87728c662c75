import { expect, it } from 'vitest';
import { DELETE_AFTERS, deleteSweep } from './delete-sweep.ts';
import { customPolicy, MINUTE, T0, traceOf } from './example.fixture.ts';
import { parameterSweep, recommend, regretShare, type SweepPoint } from './parameter-sweep.ts';
import { drawSweeps } from './plot.ts';
import { simulate } from './simulate.ts';

/** Users who often come back after 8 minutes, and then after a long pause. */
const TRACE = traceOf([0, 8, 16, 24, 32, 600], [0, 600], [100, 108, 700]);
const CONDITIONS = { until: T0 + 800 * MINUTE, wakeTime: 0 };

function points(): SweepPoint[] {
  return parameterSweep(customPolicy('1m', '24h')).map((policy) => ({ policy, result: simulate(TRACE, policy, CONDITIONS) }));
}

it('a sweep says what each further minute costs and brings', () => {
  const { sweep } = recommend(points(), 1);
  const [one, two] = sweep;
  // 11 visits, each awake for a minute. A visit 8 minutes later regrets a sleep only if that is at most 5 minutes old.
  expect(one).toMatchObject({ sleepAfter: '1m', awakeSeconds: 660, sleeps: 11, regrets: 0, perMinute: null });
  expect(two).toMatchObject({ sleepAfter: '2m', awakeSeconds: 1_320, perMinute: { awakeSeconds: 660, regretsAvoided: 0 } });
  const three = sweep.find(({ sleepAfter }) => sleepAfter === '3m');
  expect(three).toMatchObject({ regrets: 5, regretShare: 5 / 11, perMinute: { regretsAvoided: -5 } });
  const ten = sweep.find(({ sleepAfter }) => sleepAfter === '10m');
  // From 7 to 10 minutes: all 5 regrets are avoided, for one more minute in each of 5 gaps and three more at each of 6 ends.
  expect(ten).toMatchObject({ sleeps: 6, regrets: 0, perMinute: { awakeSeconds: 460, regretsAvoided: 5 / 3 } });
});

it('the cheapest with few enough regrets is recommended', () => {
  const some = points().filter(({ policy }) => policy.sleepAfter! >= 5 * MINUTE);
  expect(recommend(some, 0).policy).toMatchObject({ sleepAfter: '10m', deleteAfter: '24h' });
  expect(recommend(some, 0.45).policy).toMatchObject({ sleepAfter: '10m' });
  expect(recommend(some, 0.46).policy).toMatchObject({ sleepAfter: '5m' });
  expect(recommend(some.slice(0, 2), 0.1).policy).toBeNull();
  expect(recommend(some, 0.1).knee).toMatchObject({ sleepAfter: '10m' });
});

it('without a sleep there is nothing to regret', () => {
  expect(regretShare({ regrets: 0, sleeps: 0 })).toBe(0);
});

it('a plot is an SVG with what has to be readable in it, the same each time', () => {
  const marked = [simulate(TRACE, customPolicy('never', '30m'), CONDITIONS)];
  const drawn = () => {
    const deletes = deleteSweep(customPolicy('15m', '24h')).map((policy) => ({ policy, result: simulate(TRACE, policy, CONDITIONS) }));
    return drawSweeps({ sleep: points(), delete: deletes.map((point, i) => ({ ...point, label: DELETE_AFTERS[i]! })) }, marked);
  };
  const svg = drawn();
  expect(svg).toMatch(/^<svg [^>]*><title>[^<]+<\/title>/);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  for (const text of ['10m', '4h', 'custom', 'regrets per 1,000 sleeps', 'saved, % of', 'deleteAfter 24h']) expect(svg).toContain(text);
  for (const text of ['90d', 'lost returns, % of', 'pod-days kept', 'sleepAfter 15m']) expect(svg).toContain(text);
  expect(drawn()).toBe(svg);
});

import { describe, expect, it } from 'vitest';
import { parseLine } from '../line.ts';
import { formatLine } from './format-line.ts';
import { generateTrace, type TracePlan } from './generate.ts';
import { WORKLOADS, type WorkloadName } from './workloads.ts';

const DAY_MS = 86_400_000;
/** Begins on a Monday. */
const PLAN = { sessions: 400, from: Date.parse('2026-01-05T00:00:00Z'), days: 14, seed: 7, workload: WORKLOADS.chat } satisfies TracePlan;

const textOf = (plan: TracePlan) => [...generateTrace(plan)].flat().map(formatLine).join('');

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

it('the same seed makes the same bytes, another one others', () => {
  expect(textOf(PLAN)).toBe(textOf(PLAN));
  expect(textOf({ ...PLAN, seed: 8 })).not.toBe(textOf(PLAN));
});

it('more sessions begin with the same ones', () => {
  expect(textOf({ ...PLAN, sessions: 500 }).startsWith(textOf(PLAN))).toBe(true);
});

describe.each(Object.keys(WORKLOADS) as WorkloadName[])('%s', (name) => {
  const plan = { ...PLAN, workload: WORKLOADS[name] };

  it('is what the simulator reads, line by line', () => {
    const events = [...generateTrace(plan)].flat();
    const lines = events.map(formatLine);
    expect(lines.every((line) => line.endsWith('}\n'))).toBe(true);
    expect(lines.map((line, index) => parseLine(line, index + 1))).toEqual(events);
  });

  it('has sessions of their own uuids, each in order, with the user first and the logout last, within its days', () => {
    const sessions = [...generateTrace(plan)];
    expect(new Set(sessions.map(([first]) => first!.uuid)).size).toBe(PLAN.sessions);
    for (const events of sessions) {
      const times = events.map(({ at }) => at);
      expect(times).toEqual([...times].sort((a, b) => a - b));
      expect(events[0]!.event).toBe('user');
      expect(times[0]).toBeGreaterThanOrEqual(PLAN.from);
      expect(times.at(-1)).toBeLessThan(PLAN.from + PLAN.days * DAY_MS);
      const logout = events.findIndex(({ event }) => event === 'logout');
      if (logout >= 0) expect(logout).toBe(events.length - 1);
    }
  });
});

describe('chance keeps to its figures', () => {
  it('gaps between messages are log-normal', () => {
    // One visit of very many messages, so that no gap is one between visits.
    const workload = { ...WORKLOADS.chat, life: 1, visits: 1, single: 0, messages: 400, tabs: 0, gap: { median: 90_000, sigma: 1.2 } };
    const logs: number[] = [];
    for (const events of generateTrace({ ...PLAN, sessions: 100, days: 60, workload })) {
      for (let i = 1; i < events.length; i++) logs.push(Math.log(events[i]!.at - events[i - 1]!.at));
    }
    expect(logs.length).toBeGreaterThan(20_000);
    expect(Math.exp(median(logs)) / 90_000).toBeCloseTo(1, 1);
    const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
    const sigma = Math.sqrt(logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / logs.length);
    expect(sigma).toBeCloseTo(1.2, 1);
  });

  const firstMessages = (plan: TracePlan) => [...generateTrace(plan)].map(([first]) => new Date(first!.at));

  it.each(['2026-01-05T00:00:00Z', '2026-01-05T17:30:00Z'])('from %s on, sessions begin at the hours of the workload', (start) => {
    const { hours } = WORKLOADS.assistant;
    // One visit a day, so that none is dropped, and the first is not the earlier of two.
    const workload = { ...WORKLOADS.assistant, visits: 1 };
    const starts = firstMessages({ ...PLAN, from: Date.parse(start), sessions: 4_000, workload });
    const sum = hours.reduce<number>((all, weight) => all + weight, 0);
    for (const [hour, weight] of hours.entries()) {
      const share = starts.filter((at) => at.getUTCHours() === hour).length / starts.length;
      expect(Math.abs(share - weight / sum), `at ${hour}`).toBeLessThan(0.015);
    }
    const nightly = starts.filter((at) => at.getUTCHours() < 6).length;
    expect(nightly).toBe(0);
  });

  it('weekends are as quiet as the workload says', () => {
    const starts = firstMessages({ ...PLAN, sessions: 4_000, workload: WORKLOADS.assistant });
    const weekend = starts.filter((at) => at.getUTCDay() % 6 === 0).length / starts.length;
    // Two days of weight 0.1 beside five of weight 1.
    expect(weekend).toBeCloseTo(0.2 / 5.2, 1);
    expect(weekend).toBeLessThan(0.06);
  });

  it('visits have as many messages, and sessions as many logouts, as the workload says', () => {
    const workload = { ...WORKLOADS.support, life: 1, visits: 1, single: 0.4, messages: 8, logouts: 0.3 };
    const sessions = [...generateTrace({ ...PLAN, sessions: 4_000, workload })];
    const count = (what: string) => sessions.flat().filter(({ event }) => event === what).length;
    expect(count('user') / sessions.length / 8).toBeCloseTo(1, 1);
    const single = sessions.filter((events) => events.filter(({ event }) => event === 'user').length === 1).length;
    expect(Math.abs(single / sessions.length - 0.4)).toBeLessThan(0.03);
    expect(Math.abs(count('logout') / sessions.length - 0.3)).toBeLessThan(0.03);
  });

  it('users come on as many of their days as the workload says, and differ', () => {
    const workload = {
      ...WORKLOADS.support,
      life: 100_000,
      returns: 0.2,
      weekend: 1,
      visits: 1,
      tabs: 0,
      messages: 2,
      gap: { median: 1, sigma: 0 },
    };
    const days = [...generateTrace({ ...PLAN, sessions: 2_000, days: 100, workload })].flatMap((events) => {
      const [first] = events;
      const left = 99 - Math.floor((first!.at - PLAN.from) / DAY_MS);
      const visited = new Set(events.map(({ at }) => Math.floor((at - PLAN.from) / DAY_MS))).size - 1;
      return left >= 30 ? [visited / left] : [];
    });
    expect(days.reduce((sum, share) => sum + share, 0) / days.length).toBeCloseTo(0.2, 1);
    // The median of u ** 4 is 0.0625.
    expect(median(days)).toBeLessThan(0.09);
    expect(days.filter((share) => share > 0.8).length / days.length).toBeGreaterThan(0.02);
  });

  it('an agent signals after a message, until the next one at most', () => {
    const workload = { ...WORKLOADS.coding, tabs: 1, logouts: 0, tabStays: { median: 10 * 60_000, sigma: 0 } };
    const sessions = [...generateTrace({ ...PLAN, sessions: 100, workload })];
    let signals = 0;
    for (const events of sessions) {
      let message = 0;
      for (const { at, event } of events) {
        if (event === 'user') message = at;
        else {
          signals++;
          expect((at - message) % workload.signalEvery).toBe(0);
          expect(at - message).toBeLessThan(10 * 60_000);
        }
      }
    }
    expect(signals).toBeGreaterThan(1_000);
  });

  it('only tabs that stay open signal, at their pace', () => {
    const withTabs = (tabs: number) => [
      ...generateTrace({ ...PLAN, workload: { ...WORKLOADS.support, life: 1, visits: 1, logouts: 0, tabs } }),
    ];
    expect(
      withTabs(0)
        .flat()
        .some(({ event }) => event === 'background'),
    ).toBe(false);
    const sessions = withTabs(1);
    const share = sessions.filter((events) => events.some(({ event }) => event === 'background')).length / sessions.length;
    expect(share).toBeGreaterThan(0.8);
    for (const events of sessions) {
      const beats = events.filter(({ event }) => event === 'background').map(({ at }) => at);
      for (let i = 1; i < beats.length; i++) expect(beats[i]! - beats[i - 1]!).toBe(WORKLOADS.support.signalEvery);
    }
  });
});

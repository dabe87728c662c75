import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Figure, figure } from '../bench/src/figures.ts';
import { drawPlot, writePlot } from '../bench/src/plots.ts';

const of = (group: string, unit: string, ...whats: string[]) =>
  whats.map((what, i) => figure(group, what, unit, [300 + i, 200 + i, 230 + i]));

/** The figures for each plot, and the texts that must be readable in it. */
const DRAWN: Record<string, { figures: Figure[]; readable: string[] }> = {
  pings: {
    figures: [
      ...of('200 sessions', 'pings/s', 'floor', 'Sandman', 'remove + add'),
      ...of('400 sessions', 'pings/s', 'floor', 'ZSET'),
      ...of('400 sessions', '×', 'Sandman ÷ floor'),
    ],
    readable: ['200 sessions', '400 sessions', 'floor', 'Sandman', 'remove + add', 'ZSET', 'pings/s'],
  },
  lateness: {
    // A lateness of 0 is a valid value, but has no place on a logarithmic axis.
    figures: [
      ...of('10 due/s, hz 100', 'ms', 'Sandman: p99', 'Sandman: most'),
      figure('10 due/s, hz 100', 'poller, 50 ms: p99', 'ms', [0]),
    ],
    readable: ['10 due/s, hz 100', 'Sandman', 'poller, 50 ms', 'ms'],
  },
  burst: {
    figures: of('200 due at once', 's', 'bare BullMQ and POST', 'Sandman, 1 worker', 'Sandman, 2 workers'),
    readable: ['200 due at once', 'bare BullMQ and POST', 'Sandman, 1 worker', 'Sandman, 2 workers'],
  },
  memory: {
    figures: [
      figure('200 idle sessions', 'a session, all told', 'bytes', [1_300], { atMost: 1_400 }),
      ...of('200 idle sessions', 'bytes', 'of that: sleep job', 'of that: delete job'),
      ...of('400 idle sessions', 'bytes', 'of that: sleep job'),
    ],
    readable: ['200 idle sessions', '400 idle sessions', 'sleep job', 'delete job', 'the rest', 'at most 1,400 bytes'],
  },
  growth: {
    figures: [
      ...of('1,000 sessions', 'pings/s', 'pings, no moves'),
      ...of('100 sessions', 'pings/s', 'pings, no moves'),
      ...of('100 sessions', 'events/s', 'batched events'),
    ],
    readable: ['100', '1,000', 'pings, no moves', 'batched events', 'pings/s, events/s'],
  },
};

describe.each(Object.entries(DRAWN))('the plot of %s', (name, { figures, readable }) => {
  it('shows each contestant and group', () => {
    const svg = drawPlot(name, figures);
    expect(svg).toMatch(/^<svg [^>]*><title>[^<]+<\/title>.*<\/svg>$/s);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    const texts = [...svg!.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);
    expect(texts).toEqual(expect.arrayContaining(readable));
  });

  it('is the same each time', () => {
    expect(drawPlot(name, figures)).toBe(drawPlot(name, figures));
  });

  it('is none without figures', () => {
    expect(drawPlot(name, [])).toBeNull();
  });
});

it('nothing is drawn of another benchmark', () => {
  expect(drawPlot('nonsense', DRAWN.pings!.figures)).toBeNull();
});

it('a plot is written where there is one', () => {
  const parent = mkdtempSync(join(tmpdir(), 'sandman-plots-'));
  try {
    const dir = join(parent, 'plots');
    const { figures } = DRAWN.burst!;
    expect(writePlot(dir, 'nonsense', figures)).toBeNull();
    expect(existsSync(dir)).toBe(false);
    expect(writePlot(dir, 'burst', figures)).toBe(join(dir, 'burst.svg'));
    expect(readFileSync(join(dir, 'burst.svg'), 'utf8')).toBe(`${drawPlot('burst', figures)}\n`);
  } finally {
    rmSync(parent, { recursive: true });
  }
});

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BarChart, CustomChart, type CustomSeriesOption, LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, MarkLineComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { Figure } from './figures.ts';

use([BarChart, CustomChart, LineChart, GridComponent, LegendComponent, MarkLineComponent, TitleComponent, SVGRenderer]);

interface Plot {
  readonly height: number;
  /** The option object for ECharts. */
  readonly option: Readonly<Record<string, unknown>> & { readonly title: { readonly text: string } };
}

const WIDTH = 760;
const INK = '#111827';
const GREY = '#6b7280';
const BLUE = '#2563eb';
const LIGHT_BLUE = '#60a5fa';
const AMBER = '#d97706';
/** The colours of series that are not contestants. */
const SHADES = [BLUE, AMBER, LIGHT_BLUE, '#fbbf24', '#1e3a8a', '#92400e'];
const LABEL = { fontSize: 12, color: INK };
const LEGEND = { left: 12, top: 60, width: 720, itemGap: 32, icon: 'rect', itemWidth: 12, itemHeight: 12, textStyle: LABEL };
const HIDDEN = { show: false };
const SPREAD = 'Median of the rounds; whiskers go from the least to the most';

function colourOf(contestant: string): string {
  if (/^(floor|bare)\b/.test(contestant)) return GREY;
  if (contestant === 'Sandman') return BLUE;
  return contestant.startsWith('Sandman') ? LIGHT_BLUE : AMBER;
}

const rounded = (value: number) => value.toLocaleString('en', { maximumSignificantDigits: 3 });

const title = (text: string, subtext: string) => ({ text, subtext, left: 12, top: 10, textStyle: { fontSize: 16, color: INK } });

/** Returns a grid with fixed margins. The viewer's fonts may be wider than ours and need the room. */
const grid = (left: number, top: number) => ({ left, right: 72, top, bottom: 52, outerBoundsMode: 'none' });

/** Returns an axis of numbers. */
function valueAxis(name: string, type: 'value' | 'log' = 'value') {
  const axisLabel = { ...LABEL, formatter: (value: number) => value.toLocaleString('en') };
  const splitLine = { lineStyle: { color: '#e5e7eb' } };
  return { type, name, nameLocation: 'middle', nameGap: 32, nameTextStyle: LABEL, axisLabel, splitLine };
}

/** Returns an axis of names, from the top down. */
function categoryAxis(data: readonly unknown[]) {
  return { type: 'category', inverse: true, data, axisLine: HIDDEN, axisTick: HIDDEN, axisLabel: { ...LABEL, interval: 0 } };
}

/** x and y of one end of a whisker, then of the other. */
type Ends = [number, number, number, number];

function whiskers(ends: Ends[]): CustomSeriesOption {
  return {
    type: 'custom',
    data: ends,
    encode: { x: [0, 2], y: [1, 3] },
    z: 3,
    renderItem(_, api) {
      const [x1 = 0, y1 = 0] = api.coord([api.value(0), api.value(1)]);
      const [x2 = 0, y2 = 0] = api.coord([api.value(2), api.value(3)]);
      const [dx, dy] = x1 === x2 ? [4, 0] : [0, 4];
      const cap = (x: number, y: number) => [
        [x - dx, y - dy],
        [x + dx, y + dy],
        [x, y],
      ];
      const points = [...cap(x1, y1), ...cap(x2, y2).toReversed()];
      return { type: 'polyline', shape: { points }, style: { stroke: INK, lineWidth: 1.5, fill: 'none' } };
    },
  };
}

/** Draws a bar for each figure under the name of its group. All bars share one axis, so that groups can be compared. */
function barChart(text: string, axis: ReturnType<typeof valueAxis>, figures: readonly Figure[]): Plot {
  // A logarithmic axis has to start above 0; values below 1 are drawn as no bar.
  const placed = (value: number) => (axis.type === 'log' ? Math.max(1, value) : value);
  const names: unknown[] = [];
  const medians: string[] = [];
  const data: unknown[] = [];
  const ends: Ends[] = [];
  for (const [group, some] of Map.groupBy(figures, (one) => one.group)) {
    names.push({ value: group, textStyle: { fontWeight: 'bold' } });
    medians.push('');
    data.push(null);
    for (const { what, median, least, most } of some) {
      ends.push([placed(least), names.length, placed(most), names.length]);
      names.push(what);
      medians.push(rounded(median));
      data.push({ value: placed(median), itemStyle: { color: colourOf(what) } });
    }
  }
  return {
    height: 112 + 26 * names.length,
    option: {
      title: title(text, SPREAD),
      grid: grid(168, 60),
      xAxis: axis.type === 'log' ? { ...axis, min: 1, startValue: 1 } : axis,
      yAxis: [categoryAxis(names), { ...categoryAxis(medians), position: 'right' }],
      series: [{ type: 'bar', data, barWidth: 16 }, whiskers(ends)],
    },
  };
}

const PART = 'of that: ';
const REST = 'the rest';
/** The distance between two marks of the axis, in bytes. */
const STEP = 200;

/** Draws a stacked bar for each group: its parts, and the rest of the whole, because the limit applies to the whole. */
function stackedBarChart(figures: readonly Figure[]): Plot {
  const groups = Map.groupBy(figures, ({ group }) => group);
  const wholes: number[] = [];
  const stacks = [...groups.values()].map((some) => {
    const parts = new Map(some.filter(({ what }) => what.startsWith(PART)).map(({ what, median }) => [what.slice(PART.length), median]));
    const sum = [...parts.values()].reduce((all, part) => all + part, 0);
    const whole = some.find(({ what }) => !what.startsWith(PART))?.median ?? sum;
    wholes.push(whole);
    return parts.set(REST, Math.max(0, whole - sum));
  });
  const names = new Set(stacks.flatMap((parts) => [...parts.keys()]));
  const series = [...names].map((name, i) => ({
    type: 'bar',
    stack: 'whole',
    name,
    color: name === REST ? GREY : SHADES[i % SHADES.length],
    barWidth: 36,
    data: stacks.map((parts) => parts.get(name) ?? 0),
  }));
  const limit = figures.flatMap(({ goal }) => (goal && 'atMost' in goal ? [goal.atMost] : []))[0];
  const markLine = {
    symbol: 'none',
    lineStyle: { color: '#dc2626', width: 2 },
    label: { ...LABEL, position: 'start', formatter: `at most ${limit?.toLocaleString('en')} bytes` },
    data: limit === undefined ? [] : [{ xAxis: limit }],
  };
  return {
    height: 196 + 56 * groups.size,
    option: {
      title: title('Redis’ memory for an idle session', 'With both alarms; the mean over the fleet'),
      legend: LEGEND,
      grid: grid(168, 144),
      xAxis: { ...valueAxis('bytes'), interval: STEP, max: STEP * (1 + Math.floor(Math.max(...wholes, limit ?? 0) / STEP)) },
      yAxis: [categoryAxis([...groups.keys()]), { ...categoryAxis(wholes.map(rounded)), position: 'right' }],
      series: [...series.slice(0, -1), { ...series.at(-1), markLine }],
    },
  };
}

/** Draws figures over the size of the fleet, which the names of the groups contain. */
function lineChart(figures: readonly Figure[]): Plot {
  const sizeOf = ({ group }: Figure) => Number.parseInt(group.replaceAll(',', ''), 10);
  const sorted = figures.toSorted((a, b) => sizeOf(a) - sizeOf(b));
  const series = [...Map.groupBy(sorted, ({ what }) => what)].map(([name, some], i) => ({
    type: 'line',
    name,
    color: SHADES[i % SHADES.length],
    symbol: 'circle',
    symbolSize: 7,
    data: some.map((one) => [sizeOf(one), one.median]),
  }));
  const ends = sorted.map((one): Ends => [sizeOf(one), one.least, sizeOf(one), one.most]);
  return {
    height: 420,
    option: {
      title: title('Throughput as the fleet grows', SPREAD),
      legend: LEGEND,
      grid: grid(88, 100),
      xAxis: valueAxis('sessions', 'log'),
      yAxis: { ...valueAxis([...new Set(figures.map(({ unit }) => unit))].join(', ')), nameGap: 64 },
      series: [...series, whiskers(ends)],
    },
  };
}

const P99 = ': p99';

/** Selects the p99 figures and names them after their contestants. */
function p99s(figures: readonly Figure[]): Figure[] {
  return figures.filter(({ what }) => what.endsWith(P99)).map((one) => ({ ...one, what: one.what.slice(0, -P99.length) }));
}

function inUnits(...units: string[]) {
  return (figures: readonly Figure[]) => figures.filter(({ unit }) => units.includes(unit));
}

/** Says which figures of each benchmark are drawn, and how. */
const PLOTS = new Map<string, [pick: (figures: readonly Figure[]) => Figure[], plot: (figures: readonly Figure[]) => Plot]>([
  ['pings', [inUnits('pings/s'), (some) => barChart('Pings that one API process answers', valueAxis('pings/s'), some)]],
  ['lateness', [p99s, (some) => barChart('How late sessions are put to sleep: 99 % within', valueAxis('ms', 'log'), some)]],
  ['burst', [inUnits('s'), (some) => barChart('Until all that are due at once sleep', valueAxis('s'), some)]],
  ['memory', [inUnits('bytes'), stackedBarChart]],
  ['growth', [inUnits('pings/s', 'events/s'), lineChart]],
]);

/** @returns an SVG, the same for the same figures, or null if there is nothing to draw */
export function drawPlot(name: string, figures: readonly Figure[]): string | null {
  const [pick, plot] = PLOTS.get(name) ?? [];
  const picked = pick?.(figures) ?? [];
  if (!plot || picked.length === 0) return null;
  const { height, option } = plot(picked);
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  try {
    chart.setOption({ backgroundColor: '#ffffff', textStyle: { fontFamily: 'sans-serif' }, animation: false, ...option });
    // ECharts numbers charts, and the styles for pointer events, across the whole process; an image needs neither.
    const svg = chart.renderToSVGString().replace(/<style.*?<\/style>| (class|pointer-events|ecmeta_\w+)="[^"]*"/gs, '');
    // A title for screen readers.
    const named = svg.replace('>', `><title>${option.title.text}</title>`);
    return named.replace(/\bzr\d+-/g, 'zr-').trimEnd();
  } finally {
    chart.dispose();
  }
}

/** @returns the path of the plot, `<dir>/<name>.svg`, or null if there is none */
export function writePlot(dir: string, name: string, figures: readonly Figure[]): string | null {
  const svg = drawPlot(name, figures);
  if (svg === null) return null;
  const file = join(dir, `${name}.svg`);
  mkdirSync(dir, { recursive: true });
  writeFileSync(file, `${svg}\n`);
  return file;
}

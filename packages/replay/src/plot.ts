import { LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { podDaysKept } from './delete-sweep.ts';
import { regretShare, type SweepPoint } from './parameter-sweep.ts';
import type { SimulationResult } from './usage-counter.ts';

use([LineChart, ScatterChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

const INK = '#111827';
const BLUE = '#2563eb';
/** The colours of the marked policies. They are named in the legend, because labels of equal results would cover each other. */
const SHADES = ['#d97706', '#059669', '#7c3aed', '#dc2626', '#0891b2', '#92400e'];
const LABEL = { fontSize: 12, color: INK };
const TITLE = 'What sleeping sooner saves, and how often it is regretted';
const DELETE_TITLE = 'What deleting later keeps, and how many returns it loses';
/** The points of the sweep of `sleepAfter` that have a label, far enough apart for the text. */
const LABELLED = new Set(['1m', '2m', '3m', '5m', '10m', '15m', '30m', '1h', '2h', '4h']);
/** How far the labels of each chart are below their points, in px, away from the line and the axis. */
const LABEL_OFFSETS = [10, -10];
/** Where the second chart begins, in px from the top. */
const SECOND_TOP = 510;

function axis(name: string, gap: number, gridIndex: number) {
  const splitLine = { lineStyle: { color: '#e5e7eb' } };
  const common = { type: 'value', scale: true, gridIndex, name, nameLocation: 'middle', nameGap: gap, nameTextStyle: LABEL, splitLine };
  return { ...common, axisLabel: { ...LABEL, formatter: (value: number) => value.toLocaleString('en') } };
}

/** The coordinates of a result in each chart; null: it has none there. */
type Coordinates = (result: SimulationResult) => readonly [number, number] | null;

/** Regrets per 1,000 sleeps, and percent saved. */
const inSleepChart: Coordinates = (result) => [1_000 * regretShare(result), 100 * result.savedFraction];

/** Pod-days kept, and percent of returns lost. */
const inDeleteChart: Coordinates = (result) => (result.lostReturns === null ? null : [podDaysKept(result), 100 * result.lostReturns]);

/** The line of a sweep in a chart. */
function sweepSeries(chart: number, name: string, points: readonly SweepPoint[], coordinates: Coordinates, labelOf: (i: number) => string) {
  const data = points.flatMap(({ result }, i) => {
    const value = coordinates(result);
    const label = { ...LABEL, show: labelOf(i) !== '', formatter: labelOf(i), position: 'right', offset: [0, LABEL_OFFSETS[chart]!] };
    return value ? [{ value, label }] : [];
  });
  return { type: 'line', name, color: BLUE, symbol: 'circle', xAxisIndex: chart, yAxisIndex: chart, data };
}

/** The mark of one policy in a chart. The legend names it once for both. */
function policySeries(chart: number, coordinates: Coordinates) {
  return (result: SimulationResult, i: number) => {
    const name = `${result.name} (${result.policy.sleepAfter}, ${result.policy.deleteAfter})`;
    const value = coordinates(result);
    const look = { color: SHADES[i % SHADES.length], symbol: 'diamond', symbolSize: 14, z: 3 };
    return { type: 'scatter', name, xAxisIndex: chart, yAxisIndex: chart, ...look, data: value ? [value] : [] };
  };
}

function title(text: string, top: number) {
  return { text, left: 12, top, textStyle: { fontSize: 16, color: INK } };
}

/** The sweeps that a plot shows. */
export interface PlottedSweeps {
  /** Of `sleepAfter`. */
  readonly sleep: readonly SweepPoint[];
  /** Of `deleteAfter`, with its values as text. */
  readonly delete: readonly (SweepPoint & { readonly label: string })[];
}

/**
 * Draws two parameter sweeps, one above the other: saved against regrets, and lost returns against pod-days kept.
 *
 * @param marked results of other policies that are shown beside them
 * @returns an SVG, the same for the same results
 */
export function drawSweeps(sweeps: PlottedSweeps, marked: readonly SimulationResult[]): string {
  const { deleteAfter } = sweeps.sleep[0]!.result.policy;
  const { sleepAfter } = sweeps.delete[0]!.result.policy;
  const sleepLabel = (i: number) => {
    const text = sweeps.sleep[i]!.result.policy.sleepAfter;
    return LABELLED.has(text) ? text : '';
  };
  const grid = { left: 72, right: 72, outerBoundsMode: 'none' };
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 760, height: 920 });
  try {
    chart.setOption({
      backgroundColor: '#ffffff',
      textStyle: { fontFamily: 'sans-serif' },
      animation: false,
      title: [title(TITLE, 10), title(DELETE_TITLE, SECOND_TOP)],
      legend: { left: 12, top: 40, width: 720, itemGap: 44, textStyle: LABEL },
      // Below two lines of the legend; `itemGap` is also the gap between its lines.
      grid: [
        { ...grid, top: 142, height: 308 },
        { ...grid, top: SECOND_TOP + 46, height: 304 },
      ],
      xAxis: [axis('regrets per 1,000 sleeps', 36, 0), axis('pod-days kept', 36, 1)],
      yAxis: [
        // Ends at 100 %, because nothing saves more.
        { ...axis('saved, % of pods that run all the time', 48, 0), max: ({ max }: { max: number }) => (max > 95 ? 100 : null) },
        { ...axis('lost returns, % of all returns', 48, 1), min: 0 },
      ],
      series: [
        sweepSeries(0, `sleepAfter 1m to 4h, deleteAfter ${deleteAfter}`, sweeps.sleep, inSleepChart, sleepLabel),
        ...marked.map(policySeries(0, inSleepChart)),
        sweepSeries(1, `sleepAfter ${sleepAfter}, deleteAfter 1h to 90d`, sweeps.delete, inDeleteChart, (i) => sweeps.delete[i]!.label),
        ...marked.map(policySeries(1, inDeleteChart)),
      ],
    });
    // Removes ids and hover styles, which ECharts numbers over the whole process: equal results must give equal text.
    const svg = chart.renderToSVGString().replace(/<style.*?<\/style>| (class|pointer-events|ecmeta_\w+)="[^"]*"/gs, '');
    // For screen readers.
    const named = svg.replace('>', `><title>${TITLE}. ${DELETE_TITLE}</title>`);
    return `${named.replace(/\bzr\d+-/g, 'zr-').trimEnd()}\n`;
  } finally {
    chart.dispose();
  }
}

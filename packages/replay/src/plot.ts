import { LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { type Point, regretShare } from './sweep.ts';
import type { Result } from './tally.ts';

use([LineChart, ScatterChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

const INK = '#111827';
const BLUE = '#2563eb';
/** Of the policies, each in the legend: where two come to the same, labels would stand on one another. */
const SHADES = ['#d97706', '#059669', '#7c3aed', '#dc2626', '#0891b2', '#92400e'];
const LABEL = { fontSize: 12, color: INK };
const TITLE = 'What sleeping sooner saves, and how often it is regretted';
/** Labels of the sweep that leave one another room. */
const LABELLED = new Set(['1m', '2m', '3m', '5m', '10m', '15m', '30m', '1h', '2h', '4h']);

function axis(name: string, gap: number) {
  const splitLine = { lineStyle: { color: '#e5e7eb' } };
  const common = { type: 'value', scale: true, name, nameLocation: 'middle', nameGap: gap, nameTextStyle: LABEL, splitLine };
  return { ...common, axisLabel: { ...LABEL, formatter: (value: number) => value.toLocaleString('en') } };
}

/** Where a result stands: regrets of a thousand sleeps, percent saved. */
const place = (result: Result) => [1_000 * regretShare(result), 100 * result.savedFraction];

function onTheLine(result: Result) {
  const { sleepAfter } = result.policy;
  const label = { ...LABEL, show: LABELLED.has(sleepAfter), formatter: sleepAfter, position: 'right', offset: [0, 10] };
  return { value: place(result), label };
}

/** A policy beside the line. */
function mark(result: Result, i: number) {
  const name = `${result.name} (${result.policy.sleepAfter}, ${result.policy.deleteAfter})`;
  return { type: 'scatter', name, color: SHADES[i % SHADES.length], symbol: 'diamond', symbolSize: 14, z: 3, data: [place(result)] };
}

/**
 * @param points of a sweep of `sleepAfter`
 * @param marked policies that are shown beside it
 * @returns an SVG, the same for the same results
 */
export function drawSweep(points: readonly Point[], marked: readonly Result[]): string {
  const { deleteAfter } = points[0]!.result.policy;
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 760, height: 510 });
  try {
    chart.setOption({
      backgroundColor: '#ffffff',
      textStyle: { fontFamily: 'sans-serif' },
      animation: false,
      title: { text: TITLE, left: 12, top: 10, textStyle: { fontSize: 16, color: INK } },
      legend: { left: 12, top: 40, width: 720, itemGap: 44, textStyle: LABEL },
      // Below two lines of the legend, whose gap between lines is the one between names.
      grid: { left: 72, right: 72, top: 142, bottom: 60, outerBoundsMode: 'none' },
      xAxis: axis('regrets per 1,000 sleeps', 36),
      // Nothing saves more than all.
      yAxis: { ...axis('saved, % of pods that run all the time', 48), max: ({ max }: { max: number }) => (max > 95 ? 100 : null) },
      series: [
        {
          type: 'line',
          name: `sleepAfter 1m to 4h, deleteAfter ${deleteAfter}`,
          color: BLUE,
          symbol: 'circle',
          data: points.map(({ result }) => onTheLine(result)),
        },
        ...marked.map(mark),
      ],
    });
    // ECharts numbers charts, and the styles that answer a pointer, through the whole process; a picture needs neither.
    const svg = chart.renderToSVGString().replace(/<style.*?<\/style>| (class|pointer-events|ecmeta_\w+)="[^"]*"/gs, '');
    // For whoever is read to.
    const named = svg.replace('>', `><title>${TITLE}</title>`);
    return `${named.replace(/\bzr\d+-/g, 'zr-').trimEnd()}\n`;
  } finally {
    chart.dispose();
  }
}

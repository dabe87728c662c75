import { LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { type Point, regretShare } from './sweep.ts';
import type { Result } from './tally.ts';

use([LineChart, ScatterChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

const INK = '#111827';
const BLUE = '#2563eb';
/** The colours of the marked policies. They are named in the legend, because labels of equal results would cover each other. */
const SHADES = ['#d97706', '#059669', '#7c3aed', '#dc2626', '#0891b2', '#92400e'];
const LABEL = { fontSize: 12, color: INK };
const TITLE = 'What sleeping sooner saves, and how often it is regretted';
/** The points of the sweep that have a label, far enough apart for the text. */
const LABELLED = new Set(['1m', '2m', '3m', '5m', '10m', '15m', '30m', '1h', '2h', '4h']);

function axis(name: string, gap: number) {
  const splitLine = { lineStyle: { color: '#e5e7eb' } };
  const common = { type: 'value', scale: true, name, nameLocation: 'middle', nameGap: gap, nameTextStyle: LABEL, splitLine };
  return { ...common, axisLabel: { ...LABEL, formatter: (value: number) => value.toLocaleString('en') } };
}

/** The coordinates of a result: regrets per 1,000 sleeps, and percent saved. */
const place = (result: Result) => [1_000 * regretShare(result), 100 * result.savedFraction];

function onTheLine(result: Result) {
  const { sleepAfter } = result.policy;
  const label = { ...LABEL, show: LABELLED.has(sleepAfter), formatter: sleepAfter, position: 'right', offset: [0, 10] };
  return { value: place(result), label };
}

/** The series of one policy beside the line of the sweep. */
function mark(result: Result, i: number) {
  const name = `${result.name} (${result.policy.sleepAfter}, ${result.policy.deleteAfter})`;
  return { type: 'scatter', name, color: SHADES[i % SHADES.length], symbol: 'diamond', symbolSize: 14, z: 3, data: [place(result)] };
}

/**
 * Draws a parameter sweep as a chart.
 *
 * @param points of a sweep of `sleepAfter`
 * @param marked results of other policies that are shown beside it
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
      // Below two lines of the legend; `itemGap` is also the gap between its lines.
      grid: { left: 72, right: 72, top: 142, bottom: 60, outerBoundsMode: 'none' },
      xAxis: axis('regrets per 1,000 sleeps', 36),
      // Ends at 100 %, because nothing saves more.
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
    // Removes ids and hover styles, which ECharts numbers over the whole process: equal results must give equal text.
    const svg = chart.renderToSVGString().replace(/<style.*?<\/style>| (class|pointer-events|ecmeta_\w+)="[^"]*"/gs, '');
    // For screen readers.
    const named = svg.replace('>', `><title>${TITLE}</title>`);
    return `${named.replace(/\bzr\d+-/g, 'zr-').trimEnd()}\n`;
  } finally {
    chart.dispose();
  }
}

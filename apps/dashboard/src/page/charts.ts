import { html, type TemplateResult } from 'lit-html';
import type uPlot from 'uplot';
import type { Overview, TrendPoint } from '../wire.ts';

const SPANS = { '1h': 3_600_000, '24h': 86_400_000, '7d': 604_800_000 } as const;
export type Span = keyof typeof SPANS;

const HOUR_MS = 3_600_000;
const HEIGHT_PX = 260;
const REDRAW_MS = 5_000;
/** Two points further apart than this many times the usual distance leave a gap in the chart: no worker took samples then. */
const GAP_FACTOR = 3;

/** Whether it is midnight in the browser's time zone, in which the axis is divided. */
function isMidnight(at: Date): boolean {
  return at.getHours() === 0 && at.getMinutes() === 0;
}

/** A chart of one or two curves over time. */
class Chart {
  readonly #Plot: typeof uPlot;
  readonly #host: HTMLElement;
  readonly #names: readonly string[];
  readonly #colours: readonly string[];
  #plot: uPlot | null = null;

  /** @param colours names of CSS variables */
  constructor(Plot: typeof uPlot, host: HTMLElement, names: readonly string[], colours: readonly string[]) {
    this.#Plot = Plot;
    this.#host = host;
    this.#names = names;
    this.#colours = colours;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(host);
    // uPlot reads its colours only when it is created, so a change of theme needs a new plot.
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      const data = this.#plot?.data;
      this.#plot?.destroy();
      this.#plot = null;
      if (data) this.draw(data);
    });
  }

  draw(data: uPlot.AlignedData): void {
    if (this.#plot) this.#plot.setData(data);
    else this.#plot = new this.#Plot(this.#options(), data, this.#host);
  }

  #size() {
    return { width: this.#host.clientWidth, height: HEIGHT_PX };
  }

  #options(): uPlot.Options {
    const style = getComputedStyle(this.#host);
    const colour = (name: string) => style.getPropertyValue(name);
    // Created here and not at the start, because they take longer than all the rest of the page's script.
    const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'short', timeStyle: 'short' });
    const hour = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
    const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
    const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
    return {
      ...this.#size(),
      series: [
        { value: (_, at) => (at === null ? '–' : clock.format(at * 1_000)) },
        ...this.#names.map((label, i) => {
          const stroke = colour(this.#colours[i]!);
          return { label, stroke, fill: stroke.replace('rgb(', 'rgba(').replace(')', ', 0.14)'), width: 2, points: { show: false } };
        }),
      ],
      axes: [
        {
          ...axis,
          space: 70,
          values: (_, splits) => splits.map((at) => (isMidnight(new Date(at * 1_000)) ? day : hour).format(at * 1_000)),
        },
        { ...axis, size: 56 },
      ],
      scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
      cursor: { drag: { x: false, y: false } },
    };
  }
}

/** Fetches the points of both charts and draws them. */
export class Charts {
  #span: Span = '1h';
  #points: readonly TrendPoint[] = [];
  #charts: { readonly pods: Chart; readonly saved: Chart } | null = null;
  #drawnAt = Number.NEGATIVE_INFINITY;

  get span(): Span {
    return this.#span;
  }

  async show(span: Span): Promise<void> {
    this.#span = span;
    await this.fetch();
  }

  /** Fetches all samples of the span; one more is added each minute. */
  async fetch(): Promise<void> {
    const answer = await fetch(`/api/trend?span=${this.#span}`).catch(() => null);
    if (answer?.ok) this.#points = ((await answer.json()) as { items: TrendPoint[] }).items;
    this.#drawnAt = Number.NEGATIVE_INFINITY;
  }

  /** Draws up to the present moment, at most once in 5 s. The chart library is loaded at the first call. */
  async draw({ now, pods, savings }: Overview): Promise<void> {
    if (performance.now() - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = performance.now();
    const { default: Plot } = await import('uplot');
    const host = (id: string) => document.getElementById(id)!;
    this.#charts ??= {
      pods: new Chart(Plot, host('chart-pods'), ['awake', 'asleep'], ['--awake', '--asleep']),
      saved: new Chart(Plot, host('chart-saved'), ['pod-hours saved'], ['--saved']),
    };

    const present = { at: now, ...pods, awakeMs: savings.awakeSeconds * 1_000, alwaysOnMs: savings.alwaysOnSeconds * 1_000 };
    const points = [...this.#points.filter(({ at }) => at >= now - SPANS[this.#span] && at < now), present];
    const first = points[0]!;
    const usual = Math.max(60_000, SPANS[this.#span] / 360);
    const rows: (number | null)[][] = [];
    points.forEach(({ at, awake, asleep, awakeMs, alwaysOnMs }, i) => {
      const before = points[i - 1]?.at ?? at;
      if (at - before > GAP_FACTOR * usual) rows.push([(before + 1_000) / 1_000, null, null, null]);
      const saved = (alwaysOnMs - awakeMs - first.alwaysOnMs + first.awakeMs) / HOUR_MS;
      rows.push([at / 1_000, awake, asleep, saved]);
    });
    const column = (i: number) => rows.map((row) => row[i]!);
    this.#charts.pods.draw([column(0), column(1), column(2)] as uPlot.AlignedData);
    this.#charts.saved.draw([column(0), column(3)] as uPlot.AlignedData);
  }
}

export function chartSection(span: Span, show: (span: Span) => void): TemplateResult {
  return html`<section class="charts" aria-label="Over time">
    <div class="spans" role="group" aria-label="Span">
      ${(Object.keys(SPANS) as Span[]).map((one) => html`<button aria-pressed=${one === span} @click=${() => show(one)}>${one}</button>`)}
    </div>
    <figure>
      <figcaption>Pods</figcaption>
      <div id="chart-pods"></div>
    </figure>
    <figure>
      <figcaption>Pod-hours saved in this span</figcaption>
      <div id="chart-saved"></div>
    </figure>
  </section>`;
}

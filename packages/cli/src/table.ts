import type { Output, Style } from './output.ts';
import { columnsTaken, printable, shorten } from './terminal-text.ts';

export interface Column<Row> {
  readonly title: string;
  cell(row: Row): string;
  style?(row: Row): Style | null;
  /** Smallest width, in terminal columns, to which it may shrink on a narrow terminal. Without it, the column never shrinks. */
  readonly least?: number;
}

const COLUMN_GAP = '  ';

/** Writes aligned columns batch by batch, so that a million rows need little memory and `head` need not wait for them all. */
export class Table<Row> {
  readonly #output: Output;
  readonly #columns: readonly Column<Row>[];
  #widest: number[];
  #begun = false;

  constructor(output: Output, columns: readonly Column<Row>[]) {
    this.#output = output;
    this.#columns = columns;
    this.#widest = columns.map(({ title }) => columnsTaken(title));
  }

  /** Writes these rows. The columns of a later batch may be wider than before, never narrower. */
  write(rows: readonly Row[]): void {
    const cells = rows.map((row) => this.#columns.map((column) => printable(column.cell(row))));
    this.#widest = this.#widest.map((width, i) => cells.reduce((most, row) => Math.max(most, columnsTaken(row[i]!)), width));
    const widths = this.#fitted();
    if (!this.#begun)
      this.#row(
        this.#columns.map(({ title }) => title),
        widths,
        () => 'bold',
      );
    this.#begun = true;
    cells.forEach((row, i) => {
      this.#row(row, widths, (column) => this.#columns[column]!.style?.(rows[i]!) ?? null);
    });
  }

  /** Returns the widths: the widest column that may shrink is made narrower until the row fits the terminal. */
  #fitted(): number[] {
    const widths = [...this.#widest];
    let excess = widths.reduce((sum, width) => sum + width, COLUMN_GAP.length * (widths.length - 1)) - this.#output.width;
    while (excess > 0) {
      const shrinkable = [...widths.keys()].filter((i) => widths[i]! > (this.#columns[i]!.least ?? Number.POSITIVE_INFINITY));
      if (shrinkable.length === 0) break;
      const widest = shrinkable.reduce((a, b) => (widths[b]! > widths[a]! ? b : a));
      widths[widest]!--;
      excess--;
    }
    return widths;
  }

  #row(cells: readonly string[], widths: readonly number[], styleOf: (column: number) => Style | null): void {
    const last = cells.length - 1;
    const shown = cells.map((cell, i) => {
      const fitted = shorten(cell, widths[i]!);
      const style = styleOf(i);
      // The last column is not padded, to avoid spaces at the end of a line.
      const filling = i === last ? 0 : widths[i]! - columnsTaken(fitted);
      return (style ? this.#output.paint(style, fitted) : fitted) + ' '.repeat(filling);
    });
    this.#output.line(shown.join(COLUMN_GAP));
  }
}

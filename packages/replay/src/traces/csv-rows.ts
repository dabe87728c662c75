import { CsvError, type InfoRecord, type Parser, parse } from 'csv-parse';
import { BadTable, LONGEST_ROW, type TableColumns, type TableRow } from './table-import.ts';

/** Finds the place of a column in the header. @throws BadTable if it is not there exactly once */
function placeOf(column: string, option: string, header: readonly string[]): number {
  const place = header.indexOf(column);
  const named = `column ${JSON.stringify(column)} (${option})`;
  if (place < 0) throw new BadTable(`there is no ${named}; the columns are ${header.map((name) => JSON.stringify(name)).join(', ')}`);
  if (header.indexOf(column, place + 1) >= 0) throw new BadTable(`there is more than one ${named}`);
  return place;
}

/** Builds rows from records. The first record is the header. */
class RowBuilder {
  #rows: TableRow[] = [];
  #header: { readonly length: number; readonly session: number; readonly at: number; readonly kind: number } | null = null;
  readonly #columns: TableColumns;
  /** The line on which the last record ended. */
  line = 0;
  /** How many lines too many the parser has counted: it takes a CRLF within quotes for two. */
  #excess = 0;

  constructor(columns: TableColumns) {
    this.#columns = columns;
  }

  /** Returns the line that the parser means. @param counted as it counts them */
  lineOf(counted: number): number {
    return counted - this.#excess;
  }

  /** @param counted the parser's line on which the record ended */
  add(record: readonly string[], counted: number): void {
    if (this.lineOf(counted) > this.line + 1) for (const field of record) this.#excess += field.split('\r\n').length - 1;
    const line = this.lineOf(counted);
    this.line = line;
    if (this.#header === null) {
      const { session, at, kind } = this.#columns;
      this.#header = {
        length: record.length,
        session: placeOf(session, '--session', record),
        at: placeOf(at, '--at', record),
        kind: kind === null ? -1 : placeOf(kind, '--kind', record),
      };
      return;
    }
    const { length, session, at, kind } = this.#header;
    if (record.length !== length) this.#rows.push({ line, malformed: true });
    else this.#rows.push({ line, session: record[session], at: record[at], kind: record[kind] });
  }

  /** Returns the rows since the last call. */
  taken(): TableRow[] {
    const rows = this.#rows;
    this.#rows = [];
    return rows;
  }

  end(): void {
    if (this.#header === null) throw new BadTable('there is no header line');
  }
}

/** Passes a chunk to the parser, or its end. */
function feed(parser: Parser, chunk: Uint8Array | string | null): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null) => (error ? reject(error) : resolve());
    if (chunk === null) parser.end(done);
    else parser.write(chunk, done);
  });
}

/**
 * Reads a table of comma-separated values (RFC 4180) with a header line, as many rows at a time as a chunk completes. Rows may end with
 * CRLF or LF. A row that has another number of fields than the header is `malformed`.
 *
 * @throws BadTable if a column is missing, or a quote is not as RFC 4180 has it: what is quoted after it is not known
 */
export async function* csvRows(chunks: AsyncIterable<Uint8Array | string>, columns: TableColumns): AsyncGenerator<TableRow[]> {
  const builder = new RowBuilder(columns);
  const parser = parse({
    bom: true,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: LONGEST_ROW,
    on_record: (record: string[], { lines }: InfoRecord) => {
      builder.add(record, lines);
      return null;
    },
  });
  // It yields nothing, but ends only if it is read. Its errors come to the callbacks of `feed` as well.
  parser.on('error', () => {}).resume();
  try {
    for await (const chunk of chunks) {
      await feed(parser, chunk);
      yield builder.taken();
    }
    await feed(parser, null);
    builder.end();
    yield builder.taken();
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const [what] = error.message.split(':');
    throw new BadTable(
      `the row after line ${builder.line} is not CSV as RFC 4180 has it: ${what!.toLowerCase()} at line ${builder.lineOf(Number(error.lines))}`,
    );
  } finally {
    parser.destroy();
  }
}

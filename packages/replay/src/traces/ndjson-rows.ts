import { BadTable, LONGEST_ROW, type TableColumns, type TableRow } from './table-import.ts';

const COLUMNS = ['session', 'at', 'kind'] as const;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Finds a field by its name, or else by its path: `user.id` is the field `id` of the field `user`. @returns undefined if it is not there */
function fieldOf(row: Record<string, unknown>, path: string): unknown {
  if (Object.hasOwn(row, path)) return row[path];
  let value: unknown = row;
  for (const name of path.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

/** Keeps a whole number that is too large for a `number` as a `bigint`, so that two ids do not become one. */
function exactly(_: string, value: unknown, { source }: { readonly source?: string } = {}): unknown {
  return typeof value === 'number' && !Number.isSafeInteger(value) && source && /^\d+$/.test(source) ? BigInt(source) : value;
}

function parseObject(text: string): Record<string, unknown> | null {
  if (text.length > LONGEST_ROW) return null;
  try {
    const row: unknown = JSON.parse(text);
    return isObject(row) && !Array.isArray(row) ? row : null;
  } catch {
    return null;
  }
}

/** Names the fields of a row, those of objects within it by their paths. */
function namesOf(row: Record<string, unknown>, prefix = ''): string[] {
  return Object.entries(row).flatMap(([name, value]) =>
    isObject(value) && !Array.isArray(value) ? namesOf(value, `${prefix}${name}.`) : [JSON.stringify(prefix + name)],
  );
}

/**
 * Reads a table with a JSON object in each line, as many rows at a time as there are lines in a batch. Skips empty lines. A line that is
 * no object is `malformed`.
 *
 * @param batches lines without their ends
 * @throws BadTable if no row has a field
 */
export async function* ndjsonRows(batches: AsyncIterable<readonly string[]>, columns: TableColumns): AsyncGenerator<TableRow[]> {
  const paths = COLUMNS.flatMap((column) => (columns[column] === null ? [] : [[column, columns[column]] as const]));
  const missing = new Set(paths.map(([column]) => column));
  let first: Record<string, unknown> | null = null;
  let line = 0;
  for await (const batch of batches) {
    const rows: TableRow[] = [];
    for (const text of batch) {
      line++;
      const json = line === 1 && text.startsWith('\ufeff') ? text.slice(1) : text;
      if (json.trim() === '') continue;
      let object = parseObject(json);
      if (object && typeof fieldOf(object, columns.session) === 'number' && !Number.isSafeInteger(fieldOf(object, columns.session))) {
        object = JSON.parse(json, exactly) as Record<string, unknown>;
      }
      if (object === null) {
        rows.push({ line, malformed: true });
        continue;
      }
      first ??= object;
      const row: { line: number; session?: unknown; at?: unknown; kind?: unknown } = { line };
      for (const [column, path] of paths) {
        row[column] = fieldOf(object, path);
        if (row[column] !== undefined) missing.delete(column);
      }
      rows.push(row);
    }
    yield rows;
  }
  const [column] = missing;
  if (first === null || column === undefined) return;
  const names = namesOf(first).slice(0, 20).join(', ');
  throw new BadTable(`no line has a field ${JSON.stringify(columns[column])} (--${column}); the first row has ${names}`);
}

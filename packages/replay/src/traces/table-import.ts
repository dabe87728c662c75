import { UUID } from '@sandman/core';
import type { TraceEvent } from '../line.ts';
import { hashSession } from './session-hash.ts';
import { parseTableTime } from './table-time.ts';
import type { Zone } from './zone.ts';

export const TABLE_FORMATS = ['csv', 'ndjson'] as const;
export type TableFormat = (typeof TABLE_FORMATS)[number];

/** The longest row that is read, in characters; a table of messages contains their texts, and an unclosed quote must not fill the memory. */
export const LONGEST_ROW = 1 << 24;

/** The columns that make an event; in `ndjson` a name may be a path of fields with dots. */
export interface TableColumns {
  readonly session: string;
  readonly at: string;
  /** Null: every row is a user's activity. */
  readonly kind: string | null;
}

/** A row of a table, reduced to the columns that make an event; a field that the row lacks is undefined. */
export interface TableRow {
  /** The line on which it ends, from 1 on. */
  readonly line: number;
  /** Set if the row does not have the form of its table. */
  readonly malformed?: true;
  readonly session?: unknown;
  readonly at?: unknown;
  readonly kind?: unknown;
}

/** Thrown for a table that cannot be imported at all, such as one that lacks a column. */
export class BadTable extends Error {
  override readonly name = 'BadTable';
}

/** The reasons for which a row is left out. */
export const SKIP_REASONS = ['malformed', 'no-session', 'no-uuid', 'no-time', 'other-kind'] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];

/** The values of a kind's column, in lower case; the others are those by which tables of messages name their authors. */
const KINDS: Readonly<Record<string, 'user' | 'background'>> = {
  user: 'user',
  human: 'user',
  background: 'background',
  assistant: 'background',
  agent: 'background',
  ai: 'background',
  bot: 'background',
  system: 'background',
  tool: 'background',
};

export interface TableImportOptions {
  readonly columns: TableColumns;
  /** The zone of times without one; null: there is none. */
  readonly zone: Zone | null;
  /** Replaces each session's name by a hash. */
  readonly hash: boolean;
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' ? String(value) : '';
}

/** Turns rows of a table into events, and counts those that it leaves out by the reason. */
export class TableImport {
  rows = 0;
  events = 0;
  /** The line of the first row is 0 where there is none. */
  readonly skipped: Record<SkipReason, { count: number; firstLine: number }>;
  readonly #options: TableImportOptions;

  constructor(options: TableImportOptions) {
    this.#options = options;
    this.skipped = Object.fromEntries(SKIP_REASONS.map((reason) => [reason, { count: 0, firstLine: 0 }])) as TableImport['skipped'];
  }

  /**
   * Takes the next row.
   *
   * @returns its event; null if it has none
   * @throws BadTable for a time without a zone, if no zone is given
   */
  take(row: TableRow): TraceEvent | null {
    this.rows++;
    const event = this.#eventOf(row);
    if (typeof event !== 'string') {
      this.events++;
      return event;
    }
    const skipped = this.skipped[event];
    skipped.count++;
    skipped.firstLine ||= row.line;
    return null;
  }

  #eventOf(row: TableRow): TraceEvent | SkipReason {
    if (row.malformed) return 'malformed';
    const { columns, zone, hash } = this.#options;
    const id = textOf(row.session);
    if (id === '') return 'no-session';
    const uuid = hash ? hashSession(id) : id;
    if (!UUID.test(uuid)) return 'no-uuid';
    const time = parseTableTime(row.at, zone);
    if (time.kind === 'no-zone') {
      const value = `line ${row.line}: ${columns.at} (--at) is ${JSON.stringify(row.at)}`;
      throw new BadTable(`${value}, a time without a zone; name it with --zone, such as --zone UTC or --zone Europe/Berlin`);
    }
    if (time.kind === 'no-time') return 'no-time';
    const kind = textOf(row.kind).trim().toLowerCase();
    const event = kind === '' ? 'user' : Object.hasOwn(KINDS, kind) ? KINDS[kind]! : null;
    return event === null ? 'other-kind' : { uuid, at: time.at, event };
  }
}

import type { Cause, Status } from '@sandman/core';

/** Changes kept per session. */
const KEPT = 20;

/**
 * Length of one change in a record's history: its time (ms in base 36, eight digits until 2059), then one letter each for
 * the old status, the new status and the cause. The newest change is first. A Redis list of its own would take 20 times as much.
 */
const LETTERS = 11;
const TIME_DIGITS = 8;

/** Longest history of a session, in bytes. */
export const HISTORY_BYTES = KEPT * LETTERS;

const STATUS_LETTERS: Readonly<Record<Status | '', string>> = {
  '': '-',
  active: 'a',
  'falling-asleep': 'f',
  sleeping: 's',
  waking: 'w',
  deleting: 'x',
  deleted: 'd',
};

const CAUSE_LETTERS: Readonly<Record<Cause, string>> = {
  created: 'c',
  adopted: 'o',
  activity: 'a',
  idle: 'i',
  manual: 'm',
  logout: 'l',
  'delete-due': 'd',
  gone: 'g',
  restored: 'r',
};

function reversed<K extends string>(letters: Readonly<Record<K, string>>): ReadonlyMap<string, K> {
  return new Map(Object.entries<string>(letters).map(([name, letter]) => [letter, name as K]));
}
const STATUSES_BY_LETTER = reversed(STATUS_LETTERS);
const CAUSES_BY_LETTER = reversed(CAUSE_LETTERS);

/** A change of status. `from` is empty for the first status of a session. */
export interface Change {
  /** ms */
  readonly at: number;
  readonly from: Status | '';
  readonly to: Status;
  readonly cause: string;
}

/** Encodes a change without its time, which the script adds. */
export function encodeChange({ from, to, cause }: Pick<Change, 'from' | 'to'> & { readonly cause: Cause }): string {
  return STATUS_LETTERS[from] + STATUS_LETTERS[to] + CAUSE_LETTERS[cause];
}

/**
 * Decodes a session's history.
 *
 * @param text as the record has it, newest first
 */
export function decodeHistory(text: string): Change[] {
  return Array.from({ length: text.length / LETTERS }, (_, i) => {
    const change = text.slice(i * LETTERS, (i + 1) * LETTERS);
    const [from = '', to = '', cause = ''] = change.slice(TIME_DIGITS);
    return {
      at: Number.parseInt(change.slice(0, TIME_DIGITS), 36),
      from: STATUSES_BY_LETTER.get(from) ?? '',
      to: STATUSES_BY_LETTER.get(to) as Status,
      cause: CAUSES_BY_LETTER.get(cause) ?? '',
    };
  });
}

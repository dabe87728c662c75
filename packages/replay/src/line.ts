import { type ActivityKind, UUID } from '@sandman/core';

/** The event of a line of a trace. */
export interface TraceEvent {
  readonly uuid: string;
  /** ms since 1970. */
  readonly at: number;
  readonly event: ActivityKind | 'logout';
}

/** Thrown for a line that does not have the form of a trace. */
export class BadLine extends Error {
  override readonly name = 'BadLine';
}

/** A time with its zone, so that a trace means the same on every machine. */
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/;

/** Whether the month has that day: `Date` turns 30 February into 2 March. */
function isDay(at: string): boolean {
  const day = Number(at.slice(8, 10));
  return day <= 28 || new Date(Date.UTC(Number(at.slice(0, 4)), Number(at.slice(5, 7)) - 1, day)).getUTCDate() === day;
}

function fail(number: number, what: string): never {
  throw new BadLine(`line ${number}: ${what}`);
}

function objectOf(text: string, number: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    fail(number, 'is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(number, 'must be a JSON object');
  return value as Record<string, unknown>;
}

/**
 * Parses a line of a trace, and ignores fields that it does not know.
 *
 * @param number of the line, from 1, for errors
 * @throws BadLine that names the line and the field
 */
export function parseLine(text: string, number: number): TraceEvent {
  const { uuid, at, event = 'activity', kind = 'user' } = objectOf(text, number);
  if (typeof uuid !== 'string' || !UUID.test(uuid)) fail(number, 'uuid must be 1 to 64 of letters, digits, _ and -');
  const ms = typeof at === 'string' && TIME.test(at) && isDay(at) ? Math.floor(Date.parse(at)) : Number.NaN;
  // In a record, time 0 means "none", so all times must be later.
  if (!(ms > 0)) fail(number, 'at must be a time such as 2026-11-24T08:00:00.000Z, after 1970');
  if (event !== 'activity' && event !== 'logout') fail(number, 'event must be activity or logout');
  if (kind !== 'user' && kind !== 'background') fail(number, 'kind must be user or background');
  return { uuid, at: ms, event: event === 'logout' ? event : kind };
}

import { InvalidInput, LONGEST_GRACE_MS, LONGEST_KEEP_MS, parseDuration } from '@sandman/core';
import type { Span } from '@sandman/lifecycle';
import { IsDateTime } from 'typebox/format';

/**
 * @returns ms of the epoch
 * @throws InvalidInput naming `field`
 */
function parseTime(text: string, field: string): number {
  const ms = IsDateTime(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms) || ms < 0) throw new InvalidInput(field, 'must be an ISO 8601 time with its zone, such as 2026-11-24T08:00:00.000Z');
  return ms;
}

export function parseAt(text: string | undefined): number | null {
  return text === undefined ? null : parseTime(text, 'at');
}

const LONGEST_WAKE_WAIT_MS = 120_000;

/** @throws InvalidInput naming `wait` */
export function parseWait(text: string): number {
  const ms = parseDuration(text, 'wait');
  if (ms > LONGEST_WAKE_WAIT_MS) throw new InvalidInput('wait', 'must be at most 120s');
  return ms;
}

/** @returns ms; 0 where none is given @throws InvalidInput naming `grace` */
export function parseGrace(value: string | number | undefined): number {
  return value === undefined ? 0 : parseDuration(value, 'grace', LONGEST_GRACE_MS);
}

/** Parses the body of a hold or a keep. @throws InvalidInput unless exactly one of the two is given and it is well-formed */
export function parseSpan(body: { for?: string | number; until?: string }): Span {
  if (body.for !== undefined && body.until === undefined) return { for: parseDuration(body.for, 'for', LONGEST_KEEP_MS) };
  if (body.until !== undefined && body.for === undefined) return { until: parseTime(body.until, 'until') };
  throw new InvalidInput('for', 'or until must be given, and not both');
}

const DEEPEST_MESSAGE = 500;

function isDeeperThan(value: unknown, than: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return than === 0 || Object.values(value).some((inner) => isDeeperThan(inner, than - 1));
}

/**
 * Checks that a message is nested at most 500 deep. A parser may accept any depth, but not every program can serialize the value again.
 *
 * @throws InvalidInput naming `message`
 */
export function checkMessage(message: unknown): void {
  if (isDeeperThan(message, DEEPEST_MESSAGE)) throw new InvalidInput('message', `must be nested at most ${DEEPEST_MESSAGE} deep`);
}

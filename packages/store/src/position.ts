import { InvalidInput } from '@sandman/core';

/** How far each shard's events have been read: the id of the last one read, `MS-SEQUENCE` as in Redis. */
export type Position = readonly string[];

/** The position before the first event of a shard. */
export const START = '0-0';

/** First letter of the short form. The long form begins with a digit. */
const SHORT = 'p';
/** The form of earlier releases: the ids of all shards in full. Clients may still hold one. */
const LONG = /^\d{1,15}-\d{1,15}(_\d{1,15}-\d{1,15})*$/;

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** Enough for every time of 15 decimal digits. */
const TIME_WIDTH = 9;

function write(value: number, width: number): string {
  let text = '';
  for (let rest = value; text.length < width; rest = Math.floor(rest / 64)) text = DIGITS[rest % 64] + text;
  return text;
}

/** @returns the number that `text` stands for; if `text` contains other characters, a number that {@link write} writes otherwise */
function read(text: string): number {
  let value = 0;
  for (const digit of text) value = value * 64 + DIGITS.indexOf(digit);
  return value;
}

function widthOf(values: readonly number[]): number {
  let width = 0;
  for (let rest = Math.max(0, ...values); rest > 0; rest = Math.floor(rest / 64)) width++;
  return width;
}

/**
 * Writes a position as the id of an event, in digits of base 64: the newest time, then for each shard how much older its
 * last event is, then the sequence numbers that are not 0. All numbers of a kind have the width of the largest of them.
 * An id of 256 shards takes 1 KB where the oldest event is 2 hours old, 1.5 KB up to a year, and at most 0.3 KB more where
 * each event shared its ms with 63 others.
 */
export function encodePosition(position: Position): string {
  const ids = position.map((id) => id.split('-').map(Number) as [number, number]);
  const newest = Math.max(...ids.map(([ms]) => ms));
  // 0 means START. In other values the lowest bit is 1 where a sequence number follows.
  const ages = ids.map(([ms, sequence], shard) => (position[shard] === START ? 0 : 2 + 2 * (newest - ms) + (sequence > 0 ? 1 : 0)));
  const sequences = ids.map(([, sequence]) => sequence).filter((sequence) => sequence > 0);
  // At least 1, so that the length of the id depends on the number of shards.
  const [ageWidth, sequenceWidth] = [Math.max(1, widthOf(ages)), widthOf(sequences)];
  return [
    SHORT + write(ageWidth, 1) + write(sequenceWidth, 1) + write(newest, TIME_WIDTH),
    ...ages.map((age) => write(age, ageWidth)),
    ...sequences.map((sequence) => write(sequence, sequenceWidth)),
  ].join('');
}

function decodeShort(text: string, shards: number): Position {
  let at = SHORT.length;
  const next = (width: number) => {
    at += width;
    return read(text.slice(at - width, at));
  };
  const [ageWidth, sequenceWidth, newest] = [next(1), next(1), next(TIME_WIDTH)];
  const ages = Array.from({ length: shards }, () => next(ageWidth));
  return ages.map((age) => (age === 0 ? START : `${newest - Math.floor(age / 2) + 1}-${age % 2 === 1 ? next(sequenceWidth) : 0}`));
}

/**
 * Reads the id of an event, in its short or its long form.
 *
 * @throws InvalidInput naming `field`, where the id is malformed or was written for another number of shards
 */
export function decodePosition(text: string, shards: number, field: string): Position {
  const position = text.startsWith(SHORT) ? decodeShort(text, shards) : text.split('_');
  const isWhole = position.length === shards && LONG.test(position.join('_'));
  // A short id that does not come out the same when written again was cut, or contains other characters.
  if (isWhole && (!text.startsWith(SHORT) || encodePosition(position) === text)) return position;
  throw new InvalidInput(field, 'must be the id of an earlier event');
}

import { UserId } from '@sandman/contracts';
import { formatDuration, InvalidInput, LONGEST_MS, type Policy, PolicySet, parseDuration, UUID } from '@sandman/core';
import { InvalidArgumentError } from 'commander';
import { Check } from 'typebox/value';

/** Runs `read` and turns `InvalidInput` of the core into the error that commander reports. */
export function orInvalidArgument<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof InvalidInput ? new InvalidArgumentError(`${error.message}.`) : error;
  }
}

/**
 * Makes a parser of durations.
 *
 * @param most longest duration, in ms
 * @param none whether 0 is allowed
 * @returns a function that reads a duration as ms
 */
export function durationOption(most = LONGEST_MS, none = false): (text: string) => number {
  return (text) => {
    if (none && /^0(ms|s|m|h|d)?$/.test(text)) return 0;
    const ms = orInvalidArgument(() => parseDuration(text, 'It', Math.max(most, LONGEST_MS)));
    if (ms > most) throw new InvalidArgumentError(`It must be at most ${formatDuration(most)}.`);
    return ms;
  };
}

/** Reads `5%`, or `5`, as 0.05. */
export function percentOption(text: string): number {
  const percent = /^\d{1,3}(\.\d{1,6})?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  if (!(percent <= 100)) throw new InvalidArgumentError('It must be from 0% to 100%.');
  return percent / 100;
}

/** Reads a price, in any currency. */
export function priceOption(text: string): number {
  if (!/^\d{1,9}(\.\d{1,9})?$/.test(text)) throw new InvalidArgumentError('It must be a number such as 0.12.');
  return Number(text);
}

/** Adds a policy to those before it. It is a preset's name, or JSON. */
export function policyOption(text: string, before: readonly Policy[] = []): Policy[] {
  let asked: unknown = text;
  if (text.trimStart().startsWith('{')) {
    try {
      asked = JSON.parse(text);
    } catch {
      throw new InvalidArgumentError('It is no JSON.');
    }
  }
  return [...before, orInvalidArgument(() => new PolicySet().resolve(asked))];
}

export function numberOption(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

/**
 * Reads a time, ISO 8601; without a zone it is this machine's local time.
 *
 * @returns the time in UTC, as the API takes it
 */
export function timeOption(text: string): string {
  const [day = ''] = /^\d{4}-\d{2}-\d{2}(?=[T ]\d{2}:\d{2})/.exec(text) ?? [];
  // `Date.parse` would move a day that the month does not have into the next month.
  const isDay = day !== '' && Number(day.slice(8)) === new Date(`${day}T00:00Z`).getUTCDate();
  const ms = isDay ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new InvalidArgumentError('It must be a time such as 2026-11-24T18:00 or 2026-11-24T17:00:00Z.');
  return new Date(ms).toISOString();
}

export function userArgument(text: string): string {
  if (!Check(UserId, text)) throw new InvalidArgumentError('A user id is 1 to 255 characters, and neither . nor ..');
  return text;
}

export function uuidArgument(text: string): string {
  if (!UUID.test(text)) throw new InvalidArgumentError('A uuid is 1 to 64 of letters, digits, _ and -.');
  return text;
}

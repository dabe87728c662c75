import { formatDuration, InvalidInput, LONGEST_MS, parseDuration, UUID } from '@sandman/core';
import { InvalidArgumentError } from 'commander';

/**
 * @param most ms
 * @returns reads ms
 */
export function durationOption(most = LONGEST_MS): (text: string) => number {
  return (text) => {
    let ms: number;
    try {
      ms = parseDuration(text, 'It');
    } catch (error) {
      throw error instanceof InvalidInput ? new InvalidArgumentError(`${error.message}.`) : error;
    }
    if (ms > most) throw new InvalidArgumentError(`It must be at most ${formatDuration(most)}.`);
    return ms;
  };
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
 * A time, ISO 8601; without a zone it is that of this machine.
 *
 * @returns with its zone, as the API wants it
 */
export function timeOption(text: string): string {
  const ms = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new InvalidArgumentError('It must be a time such as 2026-11-24T18:00 or 2026-11-24T17:00:00Z.');
  return new Date(ms).toISOString();
}

export function uuidArgument(text: string): string {
  if (!UUID.test(text)) throw new InvalidArgumentError('A uuid is 1 to 64 of letters, digits, _ and -.');
  return text;
}

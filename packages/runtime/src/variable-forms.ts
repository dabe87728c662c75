import { isIP } from 'node:net';
import { parseDuration } from '@sandman/core';

/** The form of a variable's value, its default, and its parser. */
export interface Variable<T> {
  /** What is expected, as a text that follows the variable's name: "must be …". */
  readonly expected: string;
  /** The default, as it would be written in the environment; undefined where the variable is required. */
  readonly standard?: string;
  /** Reads the value. @throws any error on a malformed value */
  readonly parse: (text: string) => T;
}

export function refuse(): never {
  throw new Error('malformed');
}

export function matching(form: RegExp): (text: string) => string {
  return (text) => (form.test(text) ? text : refuse());
}

export function whole(least: number, most: number): (text: string) => number {
  return (text) => (/^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most ? Number(text) : refuse());
}

export function duration(standard: string): Variable<number> {
  return { expected: 'must be a duration such as 500ms, 30s or 5m, from 1ms to 365d', standard, parse: (text) => parseDuration(text, '') };
}

/** The longest time of a Node timer, in ms, less the 1 s that Node adds to the time-out of an idle connection. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1 - 1_000;

export function port(standard: string): Variable<number> {
  return { expected: 'must be a port, 0 to 65535 (0: any free one)', standard, parse: whole(0, 65_535) };
}

export function url(protocols: readonly string[], parse = (text: string) => text): Variable<string> {
  const expected = `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`;
  return { expected, parse: (text) => (protocols.includes(new URL(text).protocol) ? parse(text) : refuse()) };
}

export function postable(text: string): string {
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && !username && !password ? text : refuse();
}

export const secret: Variable<string> = { expected: 'must be set', parse: (text) => text };

export const MIN_KEY_LENGTH = 16;

export function keys(text: string): string[] {
  const list = text.split(',').map((key) => key.trim());
  return list.every((key) => key.length >= MIN_KEY_LENGTH) ? list : refuse();
}

export function policies(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : refuse();
}

export function names(text: string): string[] {
  const list = text.split(',').map((name) => name.trim());
  return list.every((name) => name !== '') ? [...new Set(list)] : refuse();
}

/** Reads addresses and networks such as `10.0.0.0/8`, as Fastify's `trustProxy` takes them. */
export function networks(text: string): string[] {
  const list = names(text);
  const isNetwork = (entry: string) => {
    const [, address = '', bits] = /^([\da-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
    const version = isIP(address);
    return version > 0 && (bits === undefined || (Number(bits) >= 1 && Number(bits) <= (version === 4 ? 32 : 128)));
  };
  return list.every(isNetwork) ? list : refuse();
}

export function percent(text: string): number {
  const match = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(text);
  return match && Number(match[1]) <= 100 ? Number(match[1]) : refuse();
}

/** Reads a rate per second, a whole number; null where it is empty: no limit. */
export function rate(text: string): number | null {
  return text === '' ? null : whole(1, 1_000_000)(text);
}

/** Reads a rate per second, which may be below 1; null where it is 0. */
export function slowRate(text: string): number | null {
  if (!/^\d{1,4}(\.\d{1,3})?$/.test(text)) refuse();
  return Number(text) || null;
}

/** Reads a price per hour; null where it is empty. */
export function price(text: string): number | null {
  return text === '' ? null : /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : refuse();
}

const BYTES: Readonly<Record<string, number>> = { KB: 1_024, MB: 1_048_576 };

/** Makes a parser of sizes, which returns bytes, from 1 KB to `most`. */
export function size(most: number): (text: string) => number {
  return (text) => {
    const [, count, unit] = /^(\d{1,9})(KB|MB)$/.exec(text) ?? refuse();
    const bytes = Number(count) * BYTES[unit!]!;
    return bytes >= BYTES.KB! && bytes <= most ? bytes : refuse();
  };
}

export const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

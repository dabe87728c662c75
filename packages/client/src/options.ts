import type { Drop } from './drops.ts';

/** Bounds on how much activity waits for delivery, and for how long. */
export interface ActivityBounds {
  /** How long the first event of a batch waits for others, in ms, from 0 to 60,000 (150). */
  readonly flushAfter?: number | undefined;
  /** How many sessions and users may have activity that waits, from 1 to 1,000,000 (10,000). */
  readonly maxBuffered?: number | undefined;
  /** Activity older than this is dropped, in ms, up to 365 d (24 h). */
  readonly maxAge?: number | undefined;
  /** The longest wait between two tries, in ms, from 1 to 300,000 (5,000). A `Retry-After` may ask for more. */
  readonly maxBackoff?: number | undefined;
}

export interface SandmanClientOptions {
  /** Sandman's API, such as `http://sandman:3000`. */
  readonly url: string | URL;
  /** One of its `API_KEYS`. */
  readonly apiKey: string;
  /**
   * Time-out of each call, in ms, from 1 to 600,000 (10,000). The default of `sessions.create`, which waits for the
   * session-manager, is 90,000 for all its tries together.
   */
  readonly timeout?: number | undefined;
  readonly activity?: ActivityBounds | undefined;
  /** Receives activity that will never be delivered. Without it `console.warn` reports drops, at most once a minute. */
  readonly onDrop?: ((drop: Drop) => void) | undefined;
  /** Replaces the platform's `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** Time-outs of a create, in ms. */
export interface CreateBounds {
  /** Of all attempts together. */
  readonly timeout: number;
  /** Of each attempt. */
  readonly attempt: number;
}

/** The options with their defaults filled in. */
export interface ClientSettings {
  /** Address of the API, without a slash at its end. */
  readonly base: string;
  readonly apiKey: string;
  readonly timeout: number;
  readonly create: CreateBounds;
  readonly activity: { [bound in keyof ActivityBounds]-?: number };
  readonly onDrop: ((drop: Drop) => void) | undefined;
  readonly fetch: typeof globalThis.fetch;
}

/** By default Sandman waits up to 30 s for the session-manager and a few seconds for Redis, so an attempt gets 40 s. */
const CREATE: CreateBounds = { timeout: 90_000, attempt: 40_000 };

const DAY_MS = 86_400_000;

const BOUNDS = {
  flushAfter: { least: 0, most: 60_000, usual: 150 },
  maxBuffered: { least: 1, most: 1_000_000, usual: 10_000 },
  maxAge: { least: 1, most: 365 * DAY_MS, usual: DAY_MS },
  maxBackoff: { least: 1, most: 300_000, usual: 5_000 },
} as const;

function wholeNumber(
  name: string,
  value: number | undefined,
  { least, most, usual }: { least: number; most: number; usual: number },
): number {
  if (value === undefined) return usual;
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new TypeError(`SandmanClient: ${name} must be a whole number from ${least} to ${most}`);
}

function baseOf(given: unknown): string {
  const url = URL.canParse(String(given)) ? new URL(String(given)) : null;
  if (!url || !/^https?:$/.test(url.protocol)) throw new TypeError('SandmanClient: url must be an http or https address');
  if (url.username || url.password || url.search || url.hash) {
    throw new TypeError('SandmanClient: url must not carry credentials, a query or a fragment');
  }
  return url.href.replace(/\/+$/, '');
}

/** Checks the options and fills in the defaults. @throws TypeError that names the option, and never shows the key */
export function resolveOptions(options: SandmanClientOptions): ClientSettings {
  if (typeof options !== 'object' || options === null) throw new TypeError('SandmanClient: options must be {url, apiKey, …}');
  const { url, apiKey, timeout, activity = {}, onDrop, fetch } = options;
  const base = baseOf(url);
  if (typeof apiKey !== 'string' || !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new TypeError('SandmanClient: apiKey must be visible ASCII characters, and at least one');
  }
  for (const [name, hook] of Object.entries({ onDrop, fetch })) {
    if (hook !== undefined && typeof hook !== 'function') throw new TypeError(`SandmanClient: ${name} must be a function`);
  }
  if (typeof activity !== 'object' || activity === null) throw new TypeError('SandmanClient: activity must be an object of bounds');
  const bound = (name: keyof typeof BOUNDS) => wholeNumber(`activity.${name}`, activity[name], BOUNDS[name]);
  const bounded = wholeNumber('timeout', timeout, { least: 1, most: 600_000, usual: 10_000 });
  return {
    base,
    apiKey,
    timeout: bounded,
    // A caller that sets a time-out may have a slower session-manager, so each attempt may use all of the time that is left.
    create: timeout === undefined ? CREATE : { timeout: bounded, attempt: bounded },
    activity: {
      flushAfter: bound('flushAfter'),
      maxBuffered: bound('maxBuffered'),
      maxAge: bound('maxAge'),
      maxBackoff: bound('maxBackoff'),
    },
    onDrop,
    // Looked up at each call, because instrumentation may replace the global `fetch` later.
    fetch: fetch ?? ((input, init) => globalThis.fetch(input, init)),
  };
}

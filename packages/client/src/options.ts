import type { Drop } from './drops.ts';

/** How much activity waits, and how long, before it is delivered or given up. */
export interface ActivityBounds {
  /** How long the first event of a batch waits for others, in ms, from 0 to 60,000 (150). */
  readonly flushAfter?: number | undefined;
  /** Sessions and users whose activity is kept while Sandman is away, from 1 to 1,000,000 (10,000). */
  readonly maxBuffered?: number | undefined;
  /** Older activity is not worth delivering, in ms (24 h). */
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
   * Bounds each call, in ms, from 1 to 600,000. By default 10,000, and for `sessions.create`, whose answer waits for the
   * session-manager, 90,000 with its repetitions.
   */
  readonly timeout?: number | undefined;
  readonly activity?: ActivityBounds | undefined;
  /** Told of activity that will never be delivered; without it `console.warn` says so, once a minute at most. */
  readonly onDrop?: ((drop: Drop) => void) | undefined;
  /** In place of the platform's. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** How long a create may take, in ms. */
export interface CreateBounds {
  /** With all its attempts. */
  readonly timeout: number;
  /** Of each attempt. */
  readonly attempt: number;
}

/** The options as they are in force. */
export interface Settings {
  /** Without a slash at its end. */
  readonly base: string;
  readonly apiKey: string;
  readonly timeout: number;
  readonly create: CreateBounds;
  readonly activity: { [bound in keyof ActivityBounds]-?: number };
  readonly onDrop: ((drop: Drop) => void) | undefined;
  readonly fetch: typeof globalThis.fetch;
}

/** Sandman waits 30 s for the session-manager by default, and a few seconds for Redis. */
const CREATE: CreateBounds = { timeout: 90_000, attempt: 40_000 };

const DAY_MS = 86_400_000;

const BOUNDS = {
  flushAfter: { least: 0, most: 60_000, usual: 150 },
  maxBuffered: { least: 1, most: 1_000_000, usual: 10_000 },
  maxAge: { least: 1, most: 365 * DAY_MS, usual: DAY_MS },
  maxBackoff: { least: 1, most: 300_000, usual: 5_000 },
} as const;

function whole(name: string, value: number | undefined, { least, most, usual }: { least: number; most: number; usual: number }): number {
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

/** @throws TypeError that names the option, and never shows the key */
export function settle(options: SandmanClientOptions): Settings {
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
  const bound = (name: keyof typeof BOUNDS) => whole(`activity.${name}`, activity[name], BOUNDS[name]);
  const bounded = whole('timeout', timeout, { least: 1, most: 600_000, usual: 10_000 });
  return {
    base,
    apiKey,
    timeout: bounded,
    // The caller may know of a session-manager that takes longer: an attempt is then given all the time that is left.
    create: timeout === undefined ? CREATE : { timeout: bounded, attempt: bounded },
    activity: {
      flushAfter: bound('flushAfter'),
      maxBuffered: bound('maxBuffered'),
      maxAge: bound('maxAge'),
      maxBackoff: bound('maxBackoff'),
    },
    onDrop,
    // Looked up at each call: what watches a process may replace it after us.
    fetch: fetch ?? ((input, init) => globalThis.fetch(input, init)),
  };
}

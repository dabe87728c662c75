import { isIP } from 'node:net';
import { parseDuration } from '@sandman/core';
import { parseRedisAddress } from './redis-address.ts';

/** A variable that is missing or malformed. Its message names it and what is expected, never what was given. */
export class EnvError extends Error {
  override readonly name = 'EnvError';
}

interface Variable<T> {
  /** What is expected, to follow the variable's name: "must be …". */
  readonly expected: string;
  /** As it would be written; undefined where the variable is required. */
  readonly standard?: string;
  /** @throws anything on a malformed value */
  readonly parse: (text: string) => T;
}

function refuse(): never {
  throw new Error('malformed');
}

function matching(form: RegExp): (text: string) => string {
  return (text) => (form.test(text) ? text : refuse());
}

function whole(least: number, most: number): (text: string) => number {
  return (text) => (/^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most ? Number(text) : refuse());
}

function duration(standard: string): Variable<number> {
  return { expected: 'must be a duration such as 500ms, 30s or 5m, from 1ms to 365d', standard, parse: (text) => parseDuration(text, '') };
}

/** The longest time that a timer of Node runs, in ms, less the second that Node adds to the time of an idle connection. */
const LONGEST_TIMER_MS = 2 ** 31 - 1 - 1_000;

function port(standard: string): Variable<number> {
  return { expected: 'must be a port, 0 to 65535 (0: any free one)', standard, parse: whole(0, 65_535) };
}

function url(protocols: readonly string[], parse = (text: string) => text): Variable<string> {
  const expected = `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`;
  return { expected, parse: (text) => (protocols.includes(new URL(text).protocol) ? parse(text) : refuse()) };
}

function postable(text: string): string {
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && !username && !password ? text : refuse();
}

const secret: Variable<string> = { expected: 'must be set', parse: (text) => text };

const MIN_KEY_LENGTH = 16;

function keys(text: string): string[] {
  const list = text.split(',').map((key) => key.trim());
  return list.every((key) => key.length >= MIN_KEY_LENGTH) ? list : refuse();
}

function policies(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : refuse();
}

function names(text: string): string[] {
  const list = text.split(',').map((name) => name.trim());
  return list.every((name) => name !== '') ? [...new Set(list)] : refuse();
}

/** Reads addresses and networks such as `10.0.0.0/8`, as Fastify's `trustProxy` takes them. */
function networks(text: string): string[] {
  const list = names(text);
  const isNetwork = (entry: string) => {
    const [, address = '', bits] = /^([\da-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
    const version = isIP(address);
    return version > 0 && (bits === undefined || (Number(bits) >= 1 && Number(bits) <= (version === 4 ? 32 : 128)));
  };
  return list.every(isNetwork) ? list : refuse();
}

function percent(text: string): number {
  const match = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(text);
  return match && Number(match[1]) <= 100 ? Number(match[1]) : refuse();
}

/** Per second; null where nothing is bounded. */
function rate(text: string): number | null {
  return text === '' ? null : whole(1, 1_000_000)(text);
}

/** Per second, and less than one, too; null where it is 0. */
function slowRate(text: string): number | null {
  if (!/^\d{1,4}(\.\d{1,3})?$/.test(text)) refuse();
  return Number(text) || null;
}

/** Money per hour; null where nobody said. */
function price(text: string): number | null {
  return text === '' ? null : /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : refuse();
}

const BYTES: Readonly<Record<string, number>> = { KB: 1_024, MB: 1_048_576 };

/** A size in bytes, from 1 KB up. */
function size(most: number): (text: string) => number {
  return (text) => {
    const [, count, unit] = /^(\d{1,9})(KB|MB)$/.exec(text) ?? refuse();
    const bytes = Number(count) * BYTES[unit!]!;
    return bytes >= BYTES.KB! && bytes <= most ? bytes : refuse();
  };
}

const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

/** Every variable that a process of ours reads. Which process reads which stands in its main.ts. */
const VARIABLES = {
  REDIS_URL: {
    expected: "must be redis://… or rediss://… with one server's address or several of a Cluster, or redis+sentinel://…/NAME",
    parse: parseRedisAddress,
  },
  KEY_PREFIX: { expected: 'must be 1 to 64 of A-Z a-z 0-9 _ . -', standard: 'sandman', parse: matching(/^[A-Za-z0-9_.-]{1,64}$/) },
  SHARDS: { expected: 'must be a whole number, 1 to 256', standard: '1', parse: whole(1, 256) },
  LOG_LEVEL: {
    expected: `must be one of ${LEVELS.join(', ')}`,
    standard: 'info',
    parse: (text: string) => (LEVELS.includes(text) ? text : refuse()),
  },
  // Node listens on :: where it is empty, and on 0.0.0.0 where the machine has no IPv6.
  HOST: { expected: 'must be an address to listen on', standard: '', parse: (text: string) => text },
  SESSION_MANAGER_URL: url(['http:', 'https:'], (text) => text.replace(/\/+$/, '')),
  SESSION_MANAGER_API_KEY: secret,
  SESSION_MANAGER_TIMEOUT: duration('30s'),
  DEFAULT_POLICY: { expected: "must be a policy's name", standard: 'balanced', parse: (text: string) => text },
  POLICIES: { expected: 'must be JSON {name: {sleepAfter, deleteAfter, backgroundCap?}}', standard: '{}', parse: policies },
  POLICIES_VERSION: { expected: 'must be a whole number, 0 to 999999999', standard: '0', parse: whole(0, 999_999_999) },
  SHADOW_POLICIES: {
    expected: 'must be names of policies, comma-separated',
    standard: '',
    parse: (text: string) => (text === '' ? [] : names(text)),
  },
  DRY_RUN: { expected: 'must be true or false', standard: 'false', parse: (text: string) => matching(/^(true|false)$/)(text) === 'true' },
  ALARM_SLACK: { expected: 'must be a percentage such as 1%, 0% to 100%', standard: '1%', parse: percent },
  PORT: port('3000'),
  API_KEYS: { expected: `must be comma-separated keys of at least ${MIN_KEY_LENGTH} characters each`, parse: keys },
  CHAT_TIMEOUT: { ...duration(''), parse: (text: string) => (text === '' ? null : parseDuration(text, '')) },
  CHAT_BODY_LIMIT: { expected: 'must be a size such as 64KB or 1MB, 1KB to 50MB', standard: '1MB', parse: size(50 * 1_048_576) },
  RATE_LIMIT: { expected: 'must be a whole number of requests per second, 1 to 1000000', standard: '', parse: rate },
  KEEP_ALIVE_TIMEOUT: { ...duration('620s'), parse: (text: string) => Math.min(parseDuration(text, ''), LONGEST_TIMER_MS) },
  TRUST_PROXY: {
    expected: 'must be comma-separated addresses or networks such as 10.0.0.0/8',
    standard: '',
    parse: (text: string) => (text === '' ? [] : networks(text)),
  },
  POD_PRICE_PER_HOUR: { expected: 'must be a number such as 0.12', standard: '', parse: price },
  LATE_EFFECT_BOUND: duration('30s'),
  WORKER_CONCURRENCY: { expected: 'must be a whole number, 1 to 10000', standard: '50', parse: whole(1, 10_000) },
  SESSION_MANAGER_MAX_RPS: { expected: 'must be a whole number of calls per second, 1 to 1000000', standard: '', parse: rate },
  PATROL_RATE: { expected: 'must be a number of status reads per second, 0 (none) to 9999', standard: '2', parse: slowRate },
  METRICS_PORT: port('9464'),
  WEBHOOK_URL: {
    // `fetch` refuses one.
    expected: 'must be a URL that begins with http:// or https://, without a login in it',
    standard: '',
    parse: (text: string) => (text === '' ? null : postable(text)),
  },
  WEBHOOK_SECRET: { ...secret, standard: '' },
  SLEEP_WARNING: duration('60s'),
  // Of what form it must be only the ledger knows.
  DATABASE_URL: { ...secret, standard: '' },
  LEDGER_RETENTION: duration('90d'),
  DASHBOARD_PORT: port('3001'),
  DASHBOARD_USER: secret,
  DASHBOARD_PASSWORD: secret,
  DASHBOARD_VIEWER_USER: { ...secret, standard: '' },
  DASHBOARD_VIEWER_PASSWORD: { ...secret, standard: '' },
  SIM_PORT: port('4000'),
  SIM_API_KEY: secret,
  SANDMAN_URL: url(['http:', 'https:'], (text) => text.replace(/\/+$/, '')),
  SANDMAN_API_KEY: secret,
} satisfies Record<string, Variable<unknown>>;

export type VariableName = keyof typeof VARIABLES;
export type Env<Name extends VariableName> = { readonly [N in Name]: ReturnType<(typeof VARIABLES)[N]['parse']> };

/**
 * Reads the variables a process needs, and no others. An empty one counts as missing.
 *
 * @throws EnvError for the first that is missing or malformed
 */
export function readEnv<Name extends VariableName>(env: NodeJS.ProcessEnv, names: readonly Name[]): Env<Name> {
  const entries = names.map((name) => {
    const { expected, standard, parse }: Variable<unknown> = VARIABLES[name];
    const text = env[name] || standard;
    if (text === undefined) throw new EnvError(`${name} is missing: it ${expected}`);
    try {
      return [name, parse(text)];
    } catch {
      throw new EnvError(`${name} is malformed: it ${expected}`);
    }
  });
  return Object.fromEntries(entries) as Env<Name>;
}

import { parseDuration } from '@sandman/core';
import { parseRedisAddress } from './redis-address.ts';
import {
  duration,
  keys,
  LEVELS,
  LONGEST_TIMER_MS,
  MIN_KEY_LENGTH,
  matching,
  names,
  networks,
  percent,
  policies,
  port,
  postable,
  price,
  rate,
  refuse,
  secret,
  size,
  slowRate,
  url,
  type Variable,
  whole,
} from './variable-forms.ts';

/** The programs that read variables: folders of `apps/` and `examples/`, and `npm run sandman` (the command line). */
export const READERS = ['api', 'worker', 'dashboard', 'session-manager-sim', 'chat-backend', 'command line'] as const;
export type Reader = (typeof READERS)[number];

interface Setting extends Variable<unknown> {
  readonly readBy: readonly Reader[];
  /** The variable's line in docs/settings.md, which is generated from this table. Links are relative to docs/. */
  readonly meaning: string;
  /** What applies where the variable is empty, for docs/settings.md; undefined: nothing. */
  readonly otherwise?: string;
}

/** Every variable that a process of Sandman reads, in the order in which docs/settings.md lists them. */
export const VARIABLES = {
  REDIS_URL: {
    readBy: ['api', 'worker', 'dashboard', 'command line'],
    meaning: 'One Redis server, a Cluster or Sentinel ([forms](redis.md))',
    expected: "must be redis://… or rediss://… with one server's address or several of a Cluster, or redis+sentinel://…/NAME",
    parse: parseRedisAddress,
  },
  KEY_PREFIX: {
    readBy: ['api', 'worker', 'dashboard', 'command line'],
    meaning: 'Begins the name of every key in Redis',
    expected: 'must be 1 to 64 of A-Z a-z 0-9 _ . -',
    standard: 'sandman',
    parse: matching(/^[A-Za-z0-9_.-]{1,64}$/),
  },
  SHARDS: {
    readBy: ['api', 'worker', 'dashboard', 'command line'],
    meaning:
      'How many hash slots the sessions are spread over. Fixed once data exists: a process with another number ends with exit code 2 and names the one in force',
    expected: 'must be a whole number, 1 to 256',
    standard: '1',
    parse: whole(1, 256),
  },
  LOG_LEVEL: {
    readBy: ['api', 'worker', 'dashboard'],
    meaning: 'The lowest level that is logged',
    expected: `must be one of ${LEVELS.join(', ')}`,
    standard: 'info',
    parse: (text: string) => (LEVELS.includes(text) ? text : refuse()),
  },
  // If it is empty, Node listens on ::, or on 0.0.0.0 where the machine has no IPv6.
  HOST: {
    readBy: ['api', 'worker', 'dashboard', 'session-manager-sim', 'chat-backend'],
    meaning: 'Address to listen on',
    otherwise: '`::`, which also accepts IPv4, or `0.0.0.0` where the machine has no IPv6',
    expected: 'must be an address to listen on',
    standard: '',
    parse: (text: string) => text,
  },
  SESSION_MANAGER_URL: {
    readBy: ['api', 'worker', 'command line'],
    meaning: 'Base URL of the session-manager',
    ...url(['http:', 'https:'], (text) => text.replace(/\/+$/, '')),
  },
  SESSION_MANAGER_API_KEY: { readBy: ['api', 'worker', 'command line'], meaning: 'Sent to the session-manager as `X-API-Key`', ...secret },
  SESSION_MANAGER_TIMEOUT: {
    readBy: ['api', 'worker', 'command line'],
    meaning: 'How long one call to the session-manager may take',
    ...duration('30s'),
  },
  DEFAULT_POLICY: {
    readBy: ['api', 'worker', 'command line'],
    meaning: 'Policy of sessions that are created without one',
    expected: "must be a policy's name",
    standard: 'balanced',
    parse: (text: string) => text,
  },
  POLICIES: {
    readBy: ['api', 'worker', 'command line'],
    meaning:
      "Policies beside the presets, as JSON `{name: {sleepAfter, deleteAfter, backgroundCap?}}`; a preset's name replaces the preset",
    expected: 'must be JSON {name: {sleepAfter, deleteAfter, backgroundCap?}}',
    standard: '{}',
    parse: policies,
  },
  POLICIES_VERSION: {
    readBy: ['api', 'worker'],
    meaning: 'When processes have different `POLICIES`, as in a rollout, the highest version is used ([live](policies.md#live))',
    expected: 'must be a whole number, 0 to 999999999',
    standard: '0',
    parse: whole(0, 999_999_999),
  },
  SHADOW_POLICIES: {
    readBy: ['worker'],
    meaning: 'Names of policies whose cost is computed beside the real ones and that act on nothing ([live](policies.md#live))',
    expected: 'must be names of policies, comma-separated',
    standard: '',
    parse: (text: string) => (text === '' ? [] : names(text)),
  },
  DRY_RUN: {
    readBy: ['worker'],
    meaning: '`true`: log each sleep and delete that would be called, and call none ([a first day](policies.md#live))',
    expected: 'must be true or false',
    standard: 'false',
    parse: (text: string) => matching(/^(true|false)$/)(text) === 'true',
  },
  ALARM_SLACK: {
    readBy: ['api', 'worker'],
    meaning: 'How far a deadline moves before its alarm moves too, in percent of the idle time',
    expected: 'must be a percentage such as 1%, 0% to 100%',
    standard: '1%',
    parse: percent,
  },
  PORT: { readBy: ['api', 'chat-backend'], meaning: 'Port to serve HTTP on', ...port('3000') },
  API_KEYS: {
    readBy: ['api'],
    meaning: 'Keys that callers send as `X-API-Key`, comma-separated, 16 characters or more each',
    expected: `must be comma-separated keys of at least ${MIN_KEY_LENGTH} characters each`,
    parse: keys,
  },
  CHAT_TIMEOUT: {
    readBy: ['api'],
    meaning: 'Chat proxy: longest time until the answer begins, and between two parts of it',
    otherwise: '`SESSION_MANAGER_TIMEOUT`',
    ...duration(''),
    parse: (text: string) => (text === '' ? null : parseDuration(text, '')),
  },
  CHAT_BODY_LIMIT: {
    readBy: ['api'],
    meaning: 'Largest body of a chat request',
    expected: 'must be a size such as 64KB or 1MB, 1KB to 50MB',
    standard: '1MB',
    parse: size(50 * 1_048_576),
  },
  RATE_LIMIT: {
    readBy: ['api'],
    meaning: 'Requests per second and API key, counted over all APIs',
    expected: 'must be a whole number of requests per second, 1 to 1000000',
    standard: '',
    parse: rate,
  },
  KEEP_ALIVE_TIMEOUT: {
    readBy: ['api', 'dashboard'],
    meaning: "How long an idle connection stays open. Set it longer than the load balancer's",
    ...duration('620s'),
    parse: (text: string) => Math.min(parseDuration(text, ''), LONGEST_TIMER_MS),
  },
  TRUST_PROXY: {
    readBy: ['api', 'dashboard'],
    meaning: 'Addresses or networks, comma-separated, whose `X-Forwarded-*` headers are trusted',
    expected: 'must be comma-separated addresses or networks such as 10.0.0.0/8',
    standard: '',
    parse: (text: string) => (text === '' ? [] : networks(text)),
  },
  POD_PRICE_PER_HOUR: {
    readBy: ['api', 'dashboard'],
    meaning: 'Price of an awake pod per hour, for `cost` in `/v1/savings`',
    expected: 'must be a number such as 0.12',
    standard: '',
    parse: price,
  },
  LATE_EFFECT_BOUND: {
    readBy: ['worker', 'command line'],
    meaning: 'How long after its time-out a call to the session-manager may still take effect',
    ...duration('30s'),
  },
  WORKER_CONCURRENCY: {
    readBy: ['worker'],
    meaning: 'Calls to the session-manager in flight at once, per worker',
    expected: 'must be a whole number, 1 to 10000',
    standard: '50',
    parse: whole(1, 10_000),
  },
  SESSION_MANAGER_MAX_RPS: {
    readBy: ['worker'],
    meaning: 'Calls to the session-manager per second, of all workers together',
    expected: 'must be a whole number of calls per second, 1 to 1000000',
    standard: '',
    parse: rate,
  },
  PATROL_RATE: {
    readBy: ['worker'],
    meaning: 'Status reads per second, of all workers together, that find pods [changed by others](reliability.md#repair); `0`: none',
    expected: 'must be a number of status reads per second, 0 (none) to 9999',
    standard: '2',
    parse: slowRate,
  },
  METRICS_PORT: { readBy: ['worker'], meaning: "Port of the worker's `/healthz`, `/readyz` and `/metrics`", ...port('9464') },
  WEBHOOK_URL: {
    readBy: ['worker'],
    meaning: 'Where status changes are posted ([webhooks](integrating.md#webhooks))',
    // `fetch` refuses a URL with a login.
    expected: 'must be a URL that begins with http:// or https://, without a login in it',
    standard: '',
    parse: (text: string) => (text === '' ? null : postable(text)),
  },
  WEBHOOK_SECRET: {
    readBy: ['worker'],
    meaning: 'Signs webhooks: `whsec_` and base64 of 24 to 64 bytes. Required with `WEBHOOK_URL`',
    ...secret,
    standard: '',
  },
  SLEEP_WARNING: {
    readBy: ['worker'],
    meaning: 'How long before an idle sleep a `session.sleep-warning` is posted; none for policies shorter than twice that',
    ...duration('60s'),
  },
  DELETE_WARNING: {
    readBy: ['worker'],
    meaning:
      'How long before an idle delete a `session.delete-warning` is posted; none for a `deleteAfter` under twice that. A change of policy leaves as much, and at least 1h',
    ...duration('2h'),
  },
  // The ledger checks its form.
  DATABASE_URL: {
    readBy: ['worker', 'command line'],
    meaning: '`postgres://` or `mysql://`: database of the [ledger](ledger.md)',
    ...secret,
    standard: '',
  },
  LEDGER_RETENTION: { readBy: ['worker'], meaning: 'How long the ledger keeps events', ...duration('90d') },
  DASHBOARD_PORT: { readBy: ['dashboard'], meaning: 'Port of the dashboard', ...port('3001') },
  DASHBOARD_USER: { readBy: ['dashboard'], meaning: 'Login of the operators: user', ...secret },
  DASHBOARD_PASSWORD: { readBy: ['dashboard'], meaning: 'Login of the operators: password', ...secret },
  DASHBOARD_VIEWER_USER: { readBy: ['dashboard'], meaning: 'A second login that can change nothing: user', ...secret, standard: '' },
  DASHBOARD_VIEWER_PASSWORD: { readBy: ['dashboard'], meaning: "The second login's password", ...secret, standard: '' },
  SIM_PORT: { readBy: ['session-manager-sim'], meaning: 'Port of the simulated session-manager', ...port('4000') },
  SIM_API_KEY: { readBy: ['session-manager-sim'], meaning: 'The key that the simulated session-manager expects', ...secret },
  SANDMAN_URL: {
    readBy: ['chat-backend', 'command line'],
    meaning: 'Base URL of the API',
    ...url(['http:', 'https:'], (text) => text.replace(/\/+$/, '')),
  },
  SANDMAN_API_KEY: { readBy: ['chat-backend', 'command line'], meaning: "One of the API's `API_KEYS`", ...secret },
} as const satisfies Record<string, Setting>;

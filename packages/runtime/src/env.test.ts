import { describe, expect, it } from 'vitest';
import { EnvError, readEnv, type VariableName } from './env.ts';

function failure(name: VariableName, env: NodeJS.ProcessEnv): string {
  try {
    readEnv(env, [name]);
  } catch (error) {
    expect(error).toBeInstanceOf(EnvError);
    return (error as Error).message;
  }
  throw new Error(`${name} was taken`);
}

const malformed: [VariableName, string][] = [
  ['REDIS_URL', 'http://h:6379'],
  ['REDIS_URL', 'hunter2@nowhere'],
  ['REDIS_URL', 'redis://:hunter2@h1:1,redis://:hunter2@h2:2'],
  ['REDIS_URL', 'redis+cluster://h:6379/1'],
  ['REDIS_URL', 'redis+sentinel://h1,h2'],
  ['REDIS_URL', 'redis:6379'],
  ['KEY_PREFIX', '{sandman}'],
  ['KEY_PREFIX', 'sand:man'],
  ['SHARDS', '0'],
  ['SHARDS', '1.5'],
  ['LOG_LEVEL', 'loud'],
  ['SESSION_MANAGER_URL', 'localhost:4000'],
  ['SESSION_MANAGER_URL', 'hunter2'],
  ['SESSION_MANAGER_TIMEOUT', '30 s'],
  ['SESSION_MANAGER_TIMEOUT', '0'],
  ['POLICIES', '{"a":'],
  ['POLICIES', '[]'],
  ['POLICIES', 'null'],
  ['ALARM_SLACK', '1'],
  ['ALARM_SLACK', '101%'],
  ['ALARM_SLACK', '-1%'],
  ['PORT', '65536'],
  ['PORT', '-1'],
  ['PORT', '3000x'],
  ['API_KEYS', 'hunter2'],
  ['API_KEYS', '0123456789abcdef,hunter2'],
  ['API_KEYS', '0123456789abcdef,'],
  ['LATE_EFFECT_BOUND', '366d'],
  ['DELETE_WARNING', '2 hours'],
  ['WORKER_CONCURRENCY', '0'],
  ['KEEP_ALIVE_TIMEOUT', '10 minutes'],
  ['TRUST_PROXY', 'proxy.example'],
  ['TRUST_PROXY', '10.0.0.0/33'],
  ['TRUST_PROXY', '10.0.0.0/0'],
  ['TRUST_PROXY', '10.0.0.0/255.0.0.0'],
  ['TRUST_PROXY', 'fe80::1%eth0'],
  ['TRUST_PROXY', '10.0.0.1,'],
  ['METRICS_PORT', 'http'],
  ['DASHBOARD_PORT', '99999'],
  ['SIM_PORT', '4e3'],
];

describe('a malformed variable', () => {
  it.each(malformed)('%s=%s is named in one line that says what is expected, and not what was given', (name, value) => {
    const message = failure(name, { [name]: value });
    expect(message).toMatch(new RegExp(`^${name} is malformed: it must be .+$`));
    if (['REDIS_URL', 'API_KEYS', 'SESSION_MANAGER_URL'].includes(name)) expect(message).not.toContain(value);
    expect(message).not.toContain('hunter2');
  });
});

describe('a required variable', () => {
  const required = [
    'REDIS_URL',
    'SESSION_MANAGER_URL',
    'SESSION_MANAGER_API_KEY',
    'API_KEYS',
    'DASHBOARD_USER',
    'DASHBOARD_PASSWORD',
    'SIM_API_KEY',
  ] as const;

  it.each(required)('%s is missing when unset and when empty', (name) => {
    for (const env of [{}, { [name]: '' }]) expect(failure(name, env)).toMatch(new RegExp(`^${name} is missing: it must be`));
  });
});

it('stands at the contract’s defaults where it is unset or empty', () => {
  const defaults = {
    KEY_PREFIX: 'sandman',
    SHARDS: 1,
    LOG_LEVEL: 'info',
    HOST: '',
    SESSION_MANAGER_TIMEOUT: 30_000,
    DEFAULT_POLICY: 'balanced',
    POLICIES: {},
    ALARM_SLACK: 1,
    PORT: 3000,
    KEEP_ALIVE_TIMEOUT: 620_000,
    TRUST_PROXY: [],
    LATE_EFFECT_BOUND: 30_000,
    WORKER_CONCURRENCY: 50,
    METRICS_PORT: 9464,
    DASHBOARD_PORT: 3001,
    SIM_PORT: 4000,
  };
  const names = Object.keys(defaults) as (keyof typeof defaults)[];
  expect(readEnv({}, names)).toEqual(defaults);
  expect(readEnv(Object.fromEntries(names.map((name) => [name, ''])), names)).toEqual(defaults);
});

it('reads what is well formed', () => {
  const env = {
    REDIS_URL: 'rediss://user:p%40ss@[::1]:6380/2',
    ALARM_SLACK: '2.5%',
    PORT: '0',
    API_KEYS: '0123456789abcdef, fedcba9876543210',
    SESSION_MANAGER_URL: 'https://sm.example/base/',
    LATE_EFFECT_BOUND: '1500',
    KEEP_ALIVE_TIMEOUT: '365d',
    TRUST_PROXY: '127.0.0.1, 10.0.0.0/8,2001:db8::/32',
  };
  expect(readEnv(env, Object.keys(env) as (keyof typeof env)[])).toEqual({
    REDIS_URL: {
      kind: 'single',
      tls: true,
      login: { user: 'user', password: 'p@ss' },
      server: { host: '::1', port: 6_380 },
      database: 2,
    },
    ALARM_SLACK: 2.5,
    PORT: 0,
    API_KEYS: ['0123456789abcdef', 'fedcba9876543210'],
    SESSION_MANAGER_URL: 'https://sm.example/base',
    LATE_EFFECT_BOUND: 1_500,
    // 24.8 days, the longest time of a Node timer.
    KEEP_ALIVE_TIMEOUT: 2_147_482_647,
    TRUST_PROXY: ['127.0.0.1', '10.0.0.0/8', '2001:db8::/32'],
  });
});

it('ignores what it does not read', () => {
  expect(readEnv({ PORT: 'nonsense' }, ['SHARDS'])).toEqual({ SHARDS: 1 });
});

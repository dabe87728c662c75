import { expect, it } from 'vitest';
import { parseRedisAddress } from './redis-address.ts';

const open = { tls: false, login: null };

it.each([
  ['redis://h', 'h', 6_379, 0],
  ['redis://h/', 'h', 6_379, 0],
  ['redis://10.0.0.1:1/15', '10.0.0.1', 1, 15],
  ['redis://[::1]:6380/3', '::1', 6_380, 3],
])('%s is one server', (text, host, port, database) => {
  expect(parseRedisAddress(text)).toEqual({ kind: 'single', ...open, server: { host, port }, database });
});

it.each([
  'redis://h1:1,h2:2',
  'redis://h1:1,redis://h2:2',
  'redis+cluster://h1:1,h2:2',
  'redis+cluster://h1:1,redis+cluster://h2:2',
  'redis://h1:1,h2:2/',
])('%s is a Cluster', (text) => {
  const seeds = [
    { host: 'h1', port: 1 },
    { host: 'h2', port: 2 },
  ];
  expect(parseRedisAddress(text)).toEqual({ kind: 'cluster', ...open, seeds });
});

it('one address is a Cluster where it says so', () => {
  expect(parseRedisAddress('redis+cluster://h')).toEqual({ kind: 'cluster', ...open, seeds: [{ host: 'h', port: 6_379 }] });
});

it('sentinels are asked for a master by its name', () => {
  expect(parseRedisAddress('redis+sentinel://s1,s2:2/my%20master')).toEqual({
    kind: 'sentinel',
    ...open,
    sentinels: [
      { host: 's1', port: 26_379 },
      { host: 's2', port: 2 },
    ],
    master: 'my master',
  });
});

it.each(['rediss://h', 'rediss://h1,rediss://h2', 'rediss+cluster://h', 'rediss+sentinel://h/m'])('%s is encrypted', (text) => {
  expect(parseRedisAddress(text).tls).toBe(true);
});

it.each([
  ['redis://ada:p%40s%2Fs@h', 'ada', 'p@s/s'],
  ['redis://:a:b,c@h', null, 'a:b,c'],
  ['redis://:pw@h1,h2', null, 'pw'],
  ['redis+sentinel://ada:pw@s/m', 'ada', 'pw'],
])('%s logs in', (text, user, password) => {
  expect(parseRedisAddress(text).login).toEqual({ user, password });
});

it.each([
  '',
  'h:6379',
  'redis:6379',
  'http://h',
  'redis+tls://h',
  'redis://',
  'redis://:6379',
  'redis://h:0',
  'redis://h:65536',
  'redis://h:x',
  'redis://h1,,h2',
  'redis://h1, h2',
  'redis://h1,rediss://h2',
  'redis://h/x',
  'redis://h/1/2',
  'redis://h?db=1',
  'redis://ada@h',
  'redis://ada:@h',
  'redis://:%zz@h',
  'redis://:pw@h1,redis://:pw@h2',
  'redis://h1,h2/1',
  'redis+cluster://h/1',
  'redis+sentinel://s1,s2',
  'redis+sentinel://s1,s2/',
  'redis+sentinel://s1,s2/m/1',
])('%s is refused', (text) => {
  expect(() => parseRedisAddress(text)).toThrow();
});

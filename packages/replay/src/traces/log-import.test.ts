import { describe, expect, it } from 'vitest';
import { LogImport } from './log-import.ts';
import { parseSessionSource } from './session-source.ts';
import { parseStatusFilter } from './status-filter.ts';

const line = (request: string, { user = '-', status = 200, more = '' } = {}) =>
  `192.0.2.1 - ${user} [05/Jan/2026:09:00:00 +0000] "${request}" ${status} 1 "-" "-"${more}`;

function importOf(from: string, { status = '2xx', background = [] as string[], hash = false } = {}): LogImport {
  const session = parseSessionSource(from, 'x');
  return new LogImport({ format: 'combined', session, counts: parseStatusFilter(status, 'x'), background, hash });
}

describe('the session', () => {
  it.each([
    ['query:sid', line('GET /poll?a=1&sid=abc HTTP/2.0')],
    ['query:s d', line('GET /poll?s%20d=%61bc HTTP/2.0')],
    ['path:/chat/:session/message', line('POST /chat/abc/message?sid=no HTTP/1.1')],
    ['path:/chat/:session', line('POST http://x.example:80/chat/%61bc HTTP/1.1')],
    ['path:/*/:session/*', line('GET /v1/abc/files/a.txt HTTP/1.1')],
    ['user', line('GET / HTTP/1.1', { user: 'abc' })],
    ['regex: session=([a-z]+)$', line('GET / HTTP/1.1', { more: ' session=abc' })],
    ['regex:"GET /(?:a|b)/(\\w+)', line('GET /b/abc HTTP/1.1')],
  ])('by %s', (from, text) => {
    expect(importOf(from).take(text)).toEqual({ uuid: 'abc', at: Date.parse('2026-01-05T09:00:00Z'), event: 'user' });
  });

  it.each([
    ['query:sid', line('GET /poll?side=abc HTTP/2.0')],
    ['query:sid', line('GET /poll?sid= HTTP/2.0')],
    ['query:sid', line('-')],
    ['path:/chat/:session/message', line('POST /chat/abc HTTP/1.1')],
    ['path:/chat/:session/message', line('POST /chat/abc/message/1 HTTP/1.1')],
    ['path:/chat/:session/message', line('POST /talk/abc/message HTTP/1.1')],
    ['path:/chat/:session', line('-')],
    ['path:/chat/:session/*', line('GET /chat/abc HTTP/1.1')],
    ['user', line('GET / HTTP/1.1')],
    ['regex:x(y+)', line('GET / HTTP/1.1')],
  ])('is missing by %s in %s', (from, text) => {
    const log = importOf(from);
    expect(log.take(text)).toBeNull();
    expect(log).toMatchObject({ lines: 1, events: 0, noSession: 1 });
  });

  it.each([
    '',
    'query',
    'query:',
    'path:',
    'path:/chat',
    'path:chat/:session',
    'path:/:session/:session',
    'regex:',
    'regex:abc',
    'regex:(a)(b)',
    'regex:(',
    'header:X-Session',
    'users',
    'user:',
  ])('cannot be had from %j', (from) => {
    expect(() => parseSessionSource(from, 'x')).toThrow(/^x (must|has)/);
  });

  it('that is not a uuid is left out, unless it is hashed: then always alike', () => {
    const text = line('GET / HTTP/1.1', { user: 'ada@example.org' });
    const log = importOf('user');
    expect(log.take(text)).toBeNull();
    expect(log).toMatchObject({ noUuid: 1, noSession: 0 });
    const hashing = importOf('user', { hash: true });
    expect(hashing.take(text)?.uuid).toMatch(/^[0-9a-f]{16}$/);
    expect(hashing.take(text)?.uuid).toBe(importOf('user', { hash: true }).take(text)?.uuid);
    expect(hashing.take(line('GET / HTTP/1.1', { user: 'bob' }))?.uuid).not.toBe(hashing.take(text)?.uuid);
  });
});

it('requests that failed are no activity, unless somebody says so', () => {
  const statuses = [101, 200, 204, 301, 304, 404, 499, 502];
  const taken = (filter: string) =>
    statuses.filter((status) => importOf('user', { status: filter }).take(line('GET / HTTP/1.1', { user: 'a', status })));
  expect(taken('2xx')).toEqual([200, 204]);
  expect(taken('2xx,101,304')).toEqual([101, 200, 204, 304]);
  expect(taken('4xx')).toEqual([404, 499]);
  for (const filter of ['', '2', '2xx,', '600', '2XX', 'all', '2xx 3xx']) expect(() => parseStatusFilter(filter, 'x')).toThrow('x must be');
});

it('what begins like a background path is no person', () => {
  const log = importOf('user', { background: ['/poll', '/beat/'] });
  const kind = (path: string) => log.take(line(`GET ${path} HTTP/1.1`, { user: 'a' }))?.event;
  expect(['/poll', '/poll?x=1', '/polling', '/beat/1', '/beat', '/chat/poll', '/'].map(kind)).toEqual([
    'background',
    'background',
    'background',
    'background',
    'user',
    'user',
    'user',
  ]);
});

it('counts what it leaves out, and says where the first malformed line is', () => {
  const log = importOf('user');
  for (const text of [line('GET / HTTP/1.1', { user: 'a' }), line('GET / HTTP/1.1', { user: 'a', status: 500 }), 'x', '', line('-')])
    log.take(text);
  expect(log).toMatchObject({ lines: 5, events: 1, malformed: 2, firstMalformed: 3, otherStatus: 1, noSession: 1, noUuid: 0 });
});

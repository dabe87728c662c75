import { describe, expect, it } from 'vitest';
import { LONGEST_LINE, parseLogLine } from './access-log.ts';

const TIME = '[05/Jan/2026:09:00:00 +0000]';
const AT = Date.parse('2026-01-05T09:00:00Z');

const combined = (line: string) => parseLogLine(line, 'combined');

describe('lines as servers write them', () => {
  it('nginx, combined', () => {
    const line = `192.0.2.1 - ada ${TIME} "POST /chat/3f9a1c22/message?stream=1 HTTP/1.1" 200 512 "https://chat.example/" "Mozilla/5.0 (X11)"`;
    expect(combined(line)).toEqual({ line, user: 'ada', at: AT, path: '/chat/3f9a1c22/message', query: 'stream=1', status: 200 });
  });

  it('Apache, common, with no bytes', () => {
    const line = `127.0.0.1 ident - [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 304 -`;
    const at = Date.parse('2000-10-10T20:55:36Z');
    expect(parseLogLine(line, 'common')).toEqual({ line, user: null, at, path: '/apache_pb.gif', query: '', status: 304 });
  });

  it.each([
    ['IPv6', `2001:db8::1 - - ${TIME} "GET / HTTP/2.0" 200 1 "-" "-"`],
    ['a host name', `host.example - - ${TIME} "GET / HTTP/1.1" 200 1 "-" "-"`],
    ['HTTP/3', `::1 - - ${TIME} "GET / HTTP/3" 200 1 "-" "-"`],
    ['further fields', `::1 - - ${TIME} "GET / HTTP/2.0" 200 1 "-" "-" "10.0.0.1" rt=0.012`],
    ['nothing in quotes', `::1 - - ${TIME} "GET / HTTP/2.0" 200 1 "" ""`],
    ["nginx' escapes", String.raw`::1 - - ${TIME} "GET / HTTP/2.0" 200 1 "-" "a \x22quoted\x22 agent"`],
    ["Apache's escapes", String.raw`::1 - - ${TIME} "GET / HTTP/2.0" 200 1 "-" "a \"quoted\" agent \\"`],
    ['no version', `::1 - - ${TIME} "GET /" 200 1 "-" "-"`],
    ['a proxy request', `::1 - - ${TIME} "GET http://chat.example/ HTTP/1.1" 200 1 "-" "-"`],
  ])('%s', (_, line) => {
    expect(combined(line)).toMatchObject({ at: AT, path: '/', query: '', user: null, status: 200 });
  });

  it('names with a space or an escape', () => {
    expect(combined(`::1 - Ada Lovelace ${TIME} "GET / HTTP/1.1" 200 1 "-" "-"`)?.user).toBe('Ada Lovelace');
    expect(combined(String.raw`::1 - a\x22b\x5Cc ${TIME} "GET / HTTP/1.1" 200 1 "-" "-"`)?.user).toBe('a"b\\c');
    expect(combined(String.raw`::1 - - ${TIME} "GET /\"x\" HTTP/1.1" 200 1 "-" "-"`)?.path).toBe('/"x"');
  });

  it.each([
    ['a request that broke off', '-'],
    ['none', ''],
    ['what is no HTTP', String.raw`\x16\x03\x01\x02\x00\x01`],
    ['spaces in the path', 'GET /a b HTTP/1.1'],
  ])('%s has no path', (_, request) => {
    expect(combined(`::1 - - ${TIME} "${request}" 400 0 "-" "-"`)).toMatchObject({ at: AT, path: null, query: '', status: 400 });
  });
});

describe('times', () => {
  const at = (time: string) => combined(`::1 - - [${time}] "GET / HTTP/1.1" 200 1 "-" "-"`)?.at;

  it.each([
    ['05/Jan/2026:09:00:00 +0000', '2026-01-05T09:00:00Z'],
    ['05/Jan/2026:00:30:00 +0530', '2026-01-04T19:00:00Z'],
    ['31/Dec/2025:23:59:59 -0800', '2026-01-01T07:59:59Z'],
    ['29/Feb/2024:12:00:00 +0100', '2024-02-29T11:00:00Z'],
  ])('%s is %s', (time, iso) => {
    expect(at(time)).toBe(Date.parse(iso));
  });

  it.each([
    '30/Feb/2026:09:00:00 +0000',
    '00/Jan/2026:09:00:00 +0000',
    '05/Foo/2026:09:00:00 +0000',
    '05/Jan/2026:24:00:00 +0000',
    '05/Jan/2026:09:60:00 +0000',
    '05/Jan/2026:09:00:00',
    '2026-01-05T09:00:00Z',
  ])('%s is none', (time) => {
    expect(at(time)).toBeUndefined();
  });
});

describe('what is no line of the format', () => {
  it.each([
    ['nothing', ''],
    ['JSON', '{"status": 200}'],
    ['common', `::1 - - ${TIME} "GET / HTTP/1.1" 200 1`],
    ['a status that is none', `::1 - - ${TIME} "GET / HTTP/1.1" ok 1 "-" "-"`],
    ['a quote that never ends', `::1 - - ${TIME} "GET / HTTP/1.1 200 1 "-" "-`],
    ['the end of a line that was cut', `1 "-" "-"`],
    ['a very long line', `::1 - - ${TIME} "GET /${'a'.repeat(LONGEST_LINE)} HTTP/1.1" 200 1 "-" "-"`],
  ])('%s', (_, line) => {
    expect(combined(line)).toBeNull();
  });

  it('costs no more for being made to', () => {
    const began = performance.now();
    for (const part of ['\\', ' [', '" "', 'a ', '\\"'])
      expect(combined(`::1 - - ${part.repeat(LONGEST_LINE / part.length - 8)}`)).toBeNull();
    for (const part of ['\\', ' ', '" "', '\\"']) {
      expect(combined(`::1 - - ${TIME} "${part.repeat((LONGEST_LINE - 60) / part.length)}`)).toBeNull();
    }
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

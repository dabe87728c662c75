import { expect, it } from 'vitest';
import { readTrace } from './read.ts';
import { unpackEvent, unpackTime } from './trace.ts';

const AT = '2026-11-24T08:00:00.000Z';

/** Yields a text in chunks that may end within a line or a character. */
async function* inChunks(text: string, size: number) {
  const bytes = new TextEncoder().encode(text);
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

const read = (text: string, size = 7) => readTrace(inChunks(text, size));

it.each([1, 2, 7, 10_000])('reads lines in any order, in chunks of %d bytes', async (size) => {
  const lines = [
    '{"uuid":"b","at":"2026-11-24T09:00:00+01:00"}',
    '',
    '{"uuid":"a","at":"2026-11-24T08:00:02.500Z","event":"logout","note":"été"}\r',
    '{"uuid":"a","at":"2026-11-24T08:00:01.000Z","event":"activity","kind":"background"}',
    '{"uuid":"b","at":"2026-11-24T07:59:59.999Z","kind":"user"}',
  ];
  const trace = await read(lines.join('\n'), size);
  const events = [0, 1].map((i) => Array.from(trace.eventsOf(i), (packed) => [unpackTime(packed) - Date.parse(AT), unpackEvent(packed)]));
  expect(trace.sessions).toBe(2);
  expect(events).toEqual([
    [
      [-1, 'user'],
      [0, 'user'],
    ],
    [
      [1_000, 'background'],
      [2_500, 'logout'],
    ],
  ]);
  expect([trace.from, trace.to].map((ms) => ms - Date.parse(AT))).toEqual([-1, 2_500]);
});

it.each([
  ['{"uuid":"a"', 'is no JSON'],
  ['[]', 'must be a JSON object'],
  ['null', 'must be a JSON object'],
  [`{"at":"${AT}"}`, 'uuid must be'],
  [`{"uuid":"a/b","at":"${AT}"}`, 'uuid must be'],
  [`{"uuid":7,"at":"${AT}"}`, 'uuid must be'],
  ['{"uuid":"a"}', 'at must be'],
  ['{"uuid":"a","at":"2026-11-24"}', 'at must be'],
  ['{"uuid":"a","at":"2026-11-24T08:00:00"}', 'at must be'],
  ['{"uuid":"a","at":"2026-13-24T08:00:00Z"}', 'at must be'],
  ['{"uuid":"a","at":"2026-02-29T08:00:00Z"}', 'at must be'],
  ['{"uuid":"a","at":"2026-11-31T08:00:00Z"}', 'at must be'],
  ['{"uuid":"a","at":"1960-01-01T00:00:00Z"}', 'at must be'],
  ['{"uuid":"a","at":1795507200000}', 'at must be'],
  [`{"uuid":"a","at":"${AT}","event":"login"}`, 'event must be activity or logout'],
  [`{"uuid":"a","at":"${AT}","kind":null}`, 'kind must be user or background'],
  ['x'.repeat(70_000), 'is longer than'],
])('%.40s is refused with its number and what is wrong', async (line, what) => {
  await expect(read(`{"uuid":"a","at":"${AT}"}\n\n${line}`, 4_096)).rejects.toThrow(`line 3: ${what}`);
});

it.each([1_000, 100_000, 1_000_000])('a line that is too long is refused wherever chunks of %d bytes end', async (size) => {
  const line = (length: number) => `{"uuid":"a","at":"${AT}","note":"${'x'.repeat(length)}"}\n`;
  await expect(read(line(70_000), size)).rejects.toThrow('line 1: is longer than');
  expect((await read(line(60_000) + line(60_000), size)).eventsOf(0)).toHaveLength(2);
});

it('a byte order mark and empty lines of Windows are nothing', async () => {
  const trace = await read(`\ufeff{"uuid":"a","at":"${AT}"}\r\n\r\n{"uuid":"a","at":"${AT}"}\r\n`);
  expect([trace.sessions, trace.eventsOf(0).length]).toEqual([1, 2]);
});

it('a trace of nothing is none', async () => {
  await expect(read('\n \n')).rejects.toThrow('there is no line in it');
});

it('holds more lines than a block', async () => {
  const count = 270_000;
  async function* chunks() {
    const encoder = new TextEncoder();
    for (let i = count; i > 0; i -= 1_000) {
      const line = (n: number) => `{"uuid":"s${n % 777}","at":"${new Date(Date.parse(AT) + n).toISOString()}"}\n`;
      yield encoder.encode(Array.from({ length: 1_000 }, (_, k) => line(i - k)).join(''));
    }
  }
  const trace = await readTrace(chunks());
  const sizes = Array.from({ length: trace.sessions }, (_, i) => trace.eventsOf(i).length);
  expect(sizes.reduce((a, b) => a + b)).toBe(count);
  expect([Math.min(...sizes), Math.max(...sizes)]).toEqual([347, 348]);
  const some = trace.eventsOf(5);
  expect(some.every((packed, i) => i === 0 || unpackTime(packed) - unpackTime(some[i - 1]!) === 777)).toBe(true);
});

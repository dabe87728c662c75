import { expect, it } from 'vitest';
import { readBatch } from './batch.ts';

const AT = '2026-11-24T08:00:00.000Z';
const ms = Date.parse(AT);
const later = (by: number) => new Date(ms + by).toISOString();

it('the same subject twice is one signal with the newest time, for each kind', () => {
  const { signals, events } = readBatch([
    { uuid: 'a', at: AT },
    { uuid: 'a', at: later(5) },
    { uuid: 'a', at: later(2) },
    { uuid: 'a', at: later(9), kind: 'background' },
    // A user and a session with the same name are two subjects.
    { userId: 'a', at: AT },
    { userId: 'a' },
    { userId: 'a', at: later(1) },
  ]);
  expect(signals).toEqual([
    { uuid: 'a', kind: 'user', at: ms + 5 },
    { uuid: 'a', kind: 'background', at: ms + 9 },
    { userId: 'a', kind: 'user', at: null },
  ]);
  expect(events).toEqual([0, 0, 0, 1, 2, 2, 2]);
});

it('a malformed event is refused alone, and gives its subject no time', () => {
  const malformed = [7, null, {}, { uuid: 'a', at: 'tomorrow' }, { uuid: 'a', userId: 'b' }, { uuid: 'a', x: 1 }, { uuid: '' }];
  const { signals, events } = readBatch([...malformed, { uuid: 'a', at: AT }]);
  expect(signals).toEqual([{ uuid: 'a', kind: 'user', at: ms }]);
  expect(events).toEqual([...malformed.map(() => 'invalid-request'), 0]);
});

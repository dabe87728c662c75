import { expect, it } from 'vitest';
import { Output, type ProcessIo } from './output.ts';
import { Table } from './table.ts';
import { columnsTaken } from './terminal-text.ts';

interface Row {
  readonly id: string;
  readonly user: string;
}

/** Returns the lines that a terminal of this many columns shows; without columns, the lines that go to a pipe. */
function shown(batches: Row[][], columns?: number): string[] {
  let text = '';
  const stdout = { isTTY: columns !== undefined, columns, once: () => {}, write: (chunk: string) => (text += chunk) };
  const output = new Output({ stdout } as unknown as ProcessIo, { json: false, color: false });
  const table = new Table<Row>(output, [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'USER', cell: ({ user }) => user, least: 5 },
    { title: 'END', cell: () => '-' },
  ]);
  for (const rows of batches) table.write(rows);
  return text.split('\n').slice(0, -1);
}

it('aligns, also what is two columns wide', () => {
  const [head, ascii, wide] = shown([
    [
      { id: 'a', user: 'ada' },
      { id: 'b', user: '日本語' },
    ],
  ]);
  expect([head, ascii, wide]).toEqual(['ID  USER    END', 'a   ada     -', 'b   日本語  -']);
});

it('a later batch may need more room, and has one head with those before', () => {
  const lines = shown([[{ id: 'a', user: 'ada' }], [{ id: 'long-id', user: 'ada' }]]);
  expect(lines).toEqual(['ID  USER  END', 'a   ada   -', 'long-id  ada   -']);
});

it('shortens what may be shortened to a narrow terminal, in the middle, and never below its least', () => {
  const row = { id: 'never-shortened', user: `${'x'.repeat(40)}-the-end` };
  expect(columnsTaken(shown([[row]], 40)[1]!)).toBeLessThanOrEqual(40);
  expect(shown([[row]], 40)[1]).toMatch(/^never-shortened {2}xxx+….*-end {2}-$/);
  expect(shown([[row]], 10)[1]).toBe('never-shortened  xx…nd  -');
});

it('shortens nothing in a pipe', () => {
  const user = 'x'.repeat(255);
  expect(shown([[{ id: 'a', user }]])[1]).toContain(user);
});

it('shows no character that a terminal would act on', () => {
  const [, ...rows] = shown([[{ id: 'a', user: 'x\x1b[2J\n\u202egnp\x9b31m' }]]);
  expect(rows).toEqual(['a   x�[2J��gnp�31m  -']);
});

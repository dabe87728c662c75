import { expect, it } from 'vitest';
import { scriptText } from './script.ts';
import { withValues } from './script-names.ts';

it('replaces names by their values', () => {
  expect(withValues("redis.call('HMGET', KEYS[1], FIELDS.rev, INTAKE.all, CONSTANTS.HISTORY_BYTES)")).toBe(
    "redis.call('HMGET', KEYS[1], 'r', 'beat', 'floor', 'lost', 'rewound', 'warning', 'deleteWarning', 'deleteNotice', 220)",
  );
});

it.each(['FIELDS.revision', 'FIELDS.toString', 'RECORD.rev'])('refuses %s, which has no value', (name) => {
  expect(() => withValues(`redis.call('HGET', KEYS[1], ${name})`)).toThrow(name);
});

it('reads the clock once for a batch, and only where the script uses it', () => {
  expect(scriptText('touch').split('local function one')).toMatchObject([
    expect.stringContaining("'TIME'"),
    expect.not.stringContaining("'TIME'"),
  ]);
  expect(scriptText('unmark')).not.toContain("'TIME'");
});

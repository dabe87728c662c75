import { SandmanError } from '@sandman/core';
import { expect, test } from 'vitest';
import { problemOf } from './problems.ts';

test.each([
  'Connection is closed.',
  'Command timed out',
  'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
  'LOADING Redis is loading the dataset in memory',
  'READONLY You can’t write against a read only replica.',
  "NOPERM this user has no permissions to run the 'evalsha' command",
  "ERR ACL failure in script: User sandman has no permissions to run the 'hset' command script: 7b, on @user_script:3.",
  'NOAUTH Authentication required.',
  'WRONGPASS invalid username-password pair or user is disabled.',
])('"%s" of Redis is 503 not-ready', (message) => {
  expect(problemOf(new Error(message))).toMatchObject({ status: 503, code: 'not-ready' });
});

test.each(['ERR unknown command', 'BUSYGROUP Consumer Group name already exists', 'anything else'])(
  '"%s" is a fault of ours',
  (message) => {
    expect(problemOf(new Error(message))).toMatchObject({ status: 500, code: 'internal' });
  },
);

test('an error of the domain keeps its code', () => {
  expect(problemOf(new SandmanError('session-deleted', 'gone'))).toMatchObject({ status: 410, code: 'session-deleted', detail: 'gone' });
});

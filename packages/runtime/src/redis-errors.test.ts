import { expect, test } from 'vitest';
import { redisTrouble } from './redis-errors.ts';

test.each([
  'Connection is closed.',
  'Connection is discarded because a new connection is made',
  'Command aborted due to connection close',
  'Command timed out',
  'No master node is available for the pipeline',
  'Node is disconnected',
  'Cluster is disconnected.',
  'Cluster is disconnecting.',
  'Cluster is ended.',
  'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
  'LOADING Redis is loading the dataset in memory',
  'READONLY You can’t write against a read only replica.',
])('"%s": Redis is away', (message) => {
  expect(redisTrouble(new Error(message))).toBe('away');
});

test('a failed connection is known by its code, or by its cause', () => {
  expect(redisTrouble(Object.assign(new Error('read'), { code: 'ECONNRESET' }))).toBe('away');
  expect(redisTrouble(new Error('failed', { cause: new Error('Command timed out') }))).toBe('away');
});

test.each([
  "NOPERM this user has no permissions to run the 'evalsha' command",
  "ERR ACL failure in script: User sandman has no permissions to run the 'hset' command script: 7b, on @user_script:3.",
  'NOAUTH Authentication required.',
  'WRONGPASS invalid username-password pair or user is disabled.',
])('"%s": Redis refuses', (message) => {
  expect(redisTrouble(new Error(message))).toBe('refuses');
});

test.each(['ERR unknown command', 'BUSYGROUP Consumer Group name already exists', 'anything else'])(
  '"%s" says nothing of that',
  (message) => {
    expect(redisTrouble(new Error(message))).toBeNull();
  },
);

import { SandmanError } from '@sandman/core';
import { expect, test } from 'vitest';
import { ProblemError, problemOf } from './problems.ts';

test.each(['refuses', 'away'] as const)('a Redis that %s is 503 not-ready', (redis) => {
  expect(problemOf(new Error('whatever'), redis)).toMatchObject({ status: 503, code: 'not-ready' });
});

test('anything else is a fault of ours', () => {
  expect(problemOf(new Error('whatever'), null)).toMatchObject({ status: 500, code: 'internal' });
});

test('an error that only HTTP knows keeps its code', () => {
  expect(problemOf(new ProblemError('not-found', 'nothing here'), null)).toMatchObject({
    status: 404,
    code: 'not-found',
    detail: 'nothing here',
  });
});

test('an error of the domain keeps its code', () => {
  const error = new SandmanError('session-deleted', 'gone');
  expect(problemOf(error, null)).toMatchObject({ status: 410, code: 'session-deleted', detail: 'gone' });
});

import { expect, it } from 'vitest';
import { MUTANTS } from './mutants.ts';
import { simulate } from './run.fixture.ts';

const HISTORIES = 12_000;

it.each(MUTANTS)('$name is caught: $rule', { timeout: 300_000 }, async ({ name }) => {
  const { code, stdout, stderr } = await simulate('--mutant', name, '--histories', String(HISTORIES));
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^broken: promise \d: /m);
  expect(code).toBe(1);
});

import { expect, it } from 'vitest';
import type { Mutant } from './mutants.ts';
import { simulate } from './run.fixture.ts';

/** How many histories run at most: a seed of `mutants.ts` gets stale when the simulation changes. */
const HISTORIES = 8_000;
const FROM = 11_001;

/** Declares a test for each of these mutants: the simulation must find a broken promise. */
export function testsThatCatch(mutants: readonly Mutant[]): void {
  it.concurrent.each(mutants)('$name is caught: $rule', { timeout: 300_000 }, async ({ name, from = FROM }) => {
    const { code, stdout, stderr } = await simulate('--mutant', name, '--from', String(from), '--histories', String(HISTORIES));
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^broken: promise \d: /m);
    expect(code).toBe(1);
  });
}

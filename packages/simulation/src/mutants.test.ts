import { expect, it } from 'vitest';
import { testsThatCatch } from './mutants.fixture.ts';
import { MAIN_MUTANTS, MUTANTS } from './mutants.ts';

const main = MUTANTS.filter(({ name }) => MAIN_MUTANTS.has(name));

it('there are ten main mutants, and each name is one', () => {
  expect(main.map(({ name }) => name).toSorted()).toEqual([...MAIN_MUTANTS].toSorted());
  expect(main).toHaveLength(10);
});

testsThatCatch(main);

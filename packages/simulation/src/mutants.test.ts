import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { testsThatCatch } from './mutants.fixture.ts';
import { MAIN_MUTANTS, MUTANTS, mutate } from './mutants.ts';

const main = MUTANTS.filter(({ name }) => MAIN_MUTANTS.has(name));

it('there are ten main mutants, and each name is one', () => {
  expect(main.map(({ name }) => name).toSorted()).toEqual([...MAIN_MUTANTS].toSorted());
  expect(main).toHaveLength(10);
});

it('each mutant fits the code', () => {
  const source = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
  for (const mutant of MUTANTS) expect(mutate(mutant, source(mutant.file)), mutant.name).not.toBe(source(mutant.file));
});

testsThatCatch(main);

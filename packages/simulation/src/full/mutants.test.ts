import { testsThatCatch } from '../mutants.fixture.ts';
import { MAIN_MUTANTS, MUTANTS } from '../mutants.ts';

testsThatCatch(MUTANTS.filter(({ name }) => !MAIN_MUTANTS.has(name)));

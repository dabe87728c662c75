import { it } from 'vitest';
import { expectPromisesKept } from '../histories.fixture.ts';

it('2,000 more histories, and in none a promise broken', { timeout: 900_000 }, () => expectPromisesKept(501, 2_500));

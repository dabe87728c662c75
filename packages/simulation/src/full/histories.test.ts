import { it } from 'vitest';
import { expectPromisesKept } from '../histories.fixture.ts';

it('500 more histories, and in none a promise broken', { timeout: 600_000 }, () => expectPromisesKept(501, 1_000));

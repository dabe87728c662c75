import type { Static, TSchema } from 'typebox';
import { Check } from 'typebox/value';
import { CommandFailure, EXIT } from './exit.ts';

/**
 * Returns the answer if it matches its schema. At a wrong address another service may answer with JSON, too.
 *
 * @throws CommandFailure if it does not match
 */
export function validateAnswer<Schema extends TSchema>(schema: Schema, answer: unknown): Static<Schema> {
  if (Check(schema, answer)) return answer as Static<Schema>;
  throw new CommandFailure(EXIT.failed, 'what answered is not Sandman, or is an older version of it: is SANDMAN_URL (or --url) right?');
}

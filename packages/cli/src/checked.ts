import type { Static, TSchema } from 'typebox';
import { Check } from 'typebox/value';
import { CommandFailure, EXIT } from './exit.ts';

/**
 * The answer, where it is what the contract says: under a wrong address somebody else may answer JSON as well.
 *
 * @throws CommandFailure where it is not
 */
export function checked<Schema extends TSchema>(schema: Schema, answer: unknown): Static<Schema> {
  if (Check(schema, answer)) return answer as Static<Schema>;
  throw new CommandFailure(EXIT.failed, 'what answered is not Sandman: is SANDMAN_URL (or --url) right?');
}

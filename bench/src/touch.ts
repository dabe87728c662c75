import { createHash } from 'node:crypto';
import { batchArguments, scriptText } from '@sandman/store';

/** The script that a ping runs. */
export const TOUCH_SCRIPT = scriptText('touch');
const SHA = createHash('sha1').update(TOUCH_SCRIPT).digest('hex');

/** Returns the arguments of `EVALSHA` that touch one session, under the default slack. */
export function touchArguments(prefix: string, uuid: string): [sha: string, keys: number, ...args: (string | number)[]] {
  return [SHA, ...batchArguments([{ keys: [`{${prefix}:0}:session:${uuid}`, `{${prefix}:0}:ingest`], args: [1, 'a', ''] }])];
}

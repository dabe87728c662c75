import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The script that a ping of Sandman's runs. */
export const TOUCH = readFileSync(new URL('../../packages/store/src/scripts/touch.lua', import.meta.url), 'utf8');
const SHA = createHash('sha1').update(TOUCH).digest('hex');

/** What `EVALSHA` takes to touch one session, under the default slack. */
export function touchOf(prefix: string, uuid: string): [sha: string, keys: number, ...args: (string | number)[]] {
  return [SHA, 2, `{${prefix}:0}:ingest`, `{${prefix}:0}:session:${uuid}`, 1, 'a', ''];
}

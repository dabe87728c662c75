import { formatDuration, LONGEST_GRACE_MS } from '@sandman/core';
import { Option } from 'commander';
import { durationOption } from './options.ts';

/** Makes the option `--grace` of the commands that delete; it is read as ms. */
export function graceOption(): Option {
  return new Option('--grace <duration>', 'put to sleep now, delete after this: at most 30d').argParser(durationOption(LONGEST_GRACE_MS));
}

/**
 * Returns the question before a delete with a grace. It names the time of the delete by this machine's clock, to the second.
 *
 * @param doing such as `Delete 40 sessions with all data`
 * @param grace in ms
 */
export function graceQuestion(doing: string, grace: number): string {
  const end = new Date(Date.now() + grace).toISOString().replace(/\.\d+/, '');
  return `${doing} at ${end} (in ${formatDuration(grace)})? The return of the user before then cancels the delete.`;
}

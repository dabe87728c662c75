import type { SandmanClient } from '@sandman/client';
import { type Status, UUID } from '@sandman/core';
import { CommandFailure, EXIT } from './exit.ts';
import { allSessions, type FilterOptions } from './listing.ts';
import type { ProcessIo } from './output.ts';

/** The argument that stands for uuids on standard input. */
const STDIN = '-';

async function words(stdin: ProcessIo['stdin']): Promise<string[]> {
  let text = '';
  for await (const chunk of stdin.setEncoding('utf8')) text += chunk;
  return text.split(/\s+/).filter(Boolean);
}

/**
 * Returns the uuids of the sessions that a command is about: those named, those on standard input, or those that match the
 * filter. No uuid comes twice.
 *
 * @param statuses that the command can act on; sessions that match the filter in another status are left out
 * @throws CommandFailure if both or neither of names and filter are given, or a uuid is malformed
 */
export async function selectSessions(
  named: readonly string[],
  filter: FilterOptions,
  { client, stdin, statuses }: { client: SandmanClient; stdin: ProcessIo['stdin']; statuses: readonly Status[] },
): Promise<string[]> {
  const matching = filter.user !== undefined || filter.status !== undefined;
  if (matching === named.length > 0) {
    throw new CommandFailure(EXIT.usage, 'say which sessions: by uuid, by - for uuids on standard input, or by --user and --status');
  }
  const uuids = new Set<string>();
  if (matching) {
    for await (const page of allSessions(client, filter)) {
      for (const { uuid, status } of page) if (statuses.includes(status)) uuids.add(uuid);
    }
    return [...uuids];
  }
  for (const name of named) for (const uuid of name === STDIN ? await words(stdin) : [name]) uuids.add(uuid);
  const stranger = [...uuids].find((uuid) => !UUID.test(uuid));
  if (stranger !== undefined) {
    throw new CommandFailure(EXIT.usage, `${JSON.stringify(stranger.slice(0, 80))} is not a uuid: 1 to 64 of letters, digits, _ and -`);
  }
  return [...uuids];
}

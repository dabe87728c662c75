import { STATUSES } from '@sandman/core';
import { Option } from 'commander';
import { allSessions, type FilterOptions, listSessions } from '../listing.ts';
import { numberOption } from '../options.ts';
import { sessionColumns } from '../session-columns.ts';
import { Table } from '../table.ts';
import { type AddCommand, invocation } from './command.ts';

interface Options extends FilterOptions {
  readonly limit: number;
  readonly all?: true;
  readonly quiet?: true;
}

const EXAMPLES = `
With --json it is one document, {"items": [Session], "nextCursor": string or
null}; with --all as well it is one Session a line.

Examples:
  sandman sessions                                    the first 100
  sandman sessions --user ada --status sleeping
  sandman sessions --all --json | jq -r 'select(.problem) | .uuid'
  sandman sessions -q --all --status active | sandman sleep - --yes`;

/** Adds `sandman sessions`, which lists sessions. */
export const addSessions: AddCommand = (program, system) => {
  program
    .command('sessions')
    .summary('list sessions')
    .description('Lists sessions: what each is, how long it has been idle, when it sleeps and when it is deleted if nobody comes.')
    .option('--user <id>', "only this user's")
    .addOption(new Option('--status <status>', 'only those that are').choices(STATUSES))
    .addOption(new Option('--limit <n>', 'how many').argParser(numberOption(1, 1_000)).default(100))
    .addOption(new Option('--all', 'every one').conflicts('limit'))
    .addOption(new Option('-q, --quiet', 'uuids alone, one a line').conflicts('json'))
    .addHelpText('after', EXAMPLES)
    .action(async (_, command) => {
      const { options, output, client } = invocation<Options>(command, system);
      const table = new Table(output, sessionColumns(Date.now()));

      if (options.all) {
        for await (const sessions of allSessions(client, options)) {
          if (!output.open) return;
          if (options.quiet) for (const { uuid } of sessions) output.line(uuid);
          else if (output.json) for (const session of sessions) output.document(session);
          else if (sessions.length > 0) table.write(sessions);
        }
        return;
      }

      const page = await listSessions(client, options, options.limit);
      if (output.json) return output.document(page);
      if (options.quiet) for (const { uuid } of page.items) output.line(uuid);
      else if (page.items.length > 0) table.write(page.items);
      else output.note('no sessions');
      if (page.nextCursor !== null) output.note(`these are the first ${page.items.length}: --all shows every one`);
    });
};

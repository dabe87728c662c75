import { SessionSchema } from '@sandman/contracts';
import { formatDuration } from '@sandman/core';
import { Option } from 'commander';
import { checked } from '../checked.ts';
import { CommandFailure, EXIT } from '../exit.ts';
import { durationOption, timeOption, uuidArgument } from '../options.ts';
import { type AddCommand, invocation } from './command.ts';

interface Options {
  /** In ms. */
  readonly for?: number;
  readonly until?: string;
  readonly end?: true;
}

const EXAMPLES = `
A session that sleeps is woken. With --json it is one document, the Session.

Examples:
  sandman hold 3f9a1c22 --for 2h
  sandman hold 3f9a1c22 --until 2026-11-24T18:00
  sandman hold 3f9a1c22 --end`;

/** Adds `sandman hold`, which keeps a session awake for a long job. */
export const addHold: AddCommand = (program, surroundings) => {
  program
    .command('hold')
    .summary('keep a session awake for a while')
    .description('Keeps a session awake, activity or not, for at most 24h; or ends that.')
    .argument('<uuid>', 'the session', uuidArgument)
    .addOption(new Option('--for <duration>', 'from now on: 90s, 15m, 2h').argParser(durationOption()).conflicts(['until', 'end']))
    .addOption(new Option('--until <time>', 'ISO 8601, in local time where it names no zone').argParser(timeOption).conflicts('end'))
    .option('--end', 'no longer')
    .addHelpText('after', EXAMPLES)
    .action(async (uuid: string, { for: span, until, end }: Options, command) => {
      const { output, client } = invocation(command, surroundings);
      const hold = span !== undefined ? { for: formatDuration(span) } : until !== undefined ? { until } : null;
      if (!hold && !end) throw new CommandFailure(EXIT.usage, 'say --for a duration, --until a time, or --end');
      const session = checked(SessionSchema, hold ? await client.sessions.hold(uuid, hold) : await client.sessions.endHold(uuid));
      if (output.json) return output.document(session);
      output.line(session.holdUntil ? `${uuid}  held until ${session.holdUntil}` : `${uuid}  no longer held`);
    });
};

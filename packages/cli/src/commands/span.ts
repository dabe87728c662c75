import type { KeepEnd, SandmanClient } from '@sandman/client';
import { type Session, SessionSchema } from '@sandman/contracts';
import { formatDuration, LONGEST_KEEP_MS, LONGEST_MS } from '@sandman/core';
import { Option } from 'commander';
import { CommandFailure, EXIT } from '../exit.ts';
import { durationOption, timeOption, uuidArgument } from '../options.ts';
import { validateAnswer } from '../validate-answer.ts';
import { type AddCommand, invocation } from './command.ts';

interface Options {
  /** In ms. */
  readonly for?: number;
  readonly until?: string;
  readonly end?: true;
}

/** One of the commands that give a session something for a span of time, with its texts. */
interface SpanCommand {
  readonly name: 'hold' | 'keep';
  readonly summary: string;
  readonly description: string;
  /** Example durations for the help. */
  readonly durations: string;
  readonly notes: string;
  /** Longest duration that the command line accepts, in ms; the API may accept less. */
  readonly longest: number;
  begin(client: SandmanClient, uuid: string, end: KeepEnd): Promise<unknown>;
  end(client: SandmanClient, uuid: string): Promise<unknown>;
  result(session: Session): string;
}

const HOLD: SpanCommand = {
  name: 'hold',
  summary: 'keep a session awake for a while',
  description: 'Keeps a session awake, activity or not, for at most 24h; or ends that.',
  durations: '90s, 15m, 2h',
  notes: `
A session that sleeps is woken. With --json it is one document, the Session.

Examples:
  sandman hold 3f9a1c22 --for 2h
  sandman hold 3f9a1c22 --until 2026-11-24T18:00
  sandman hold 3f9a1c22 --end`,
  longest: LONGEST_MS,
  begin: (client, uuid, end) => client.sessions.hold(uuid, end),
  end: (client, uuid) => client.sessions.endHold(uuid),
  result: ({ holdUntil }) => (holdUntil ? `held until ${holdUntil}` : 'no longer held'),
};

const KEEP: SpanCommand = {
  name: 'keep',
  summary: 'protect a session from deletion for a while',
  description: 'Protects a session from deletion, by idleness or logout, for at most 3650d; or ends that.',
  durations: '12h, 7d, 90d',
  notes: `
A kept session sleeps and wakes as usual. Only \`sandman delete --force\` deletes it.
If a delete became due during the keep, --end deletes the session at once.
With --json it is one document, the Session.

Examples:
  sandman keep 3f9a1c22 --for 30d
  sandman keep 3f9a1c22 --until 2026-12-24T18:00
  sandman keep 3f9a1c22 --end`,
  longest: LONGEST_KEEP_MS,
  begin: (client, uuid, end) => client.sessions.keep(uuid, end),
  end: (client, uuid) => client.sessions.endKeep(uuid),
  result: ({ keepUntil, deleteAt }) =>
    keepUntil ? `kept until ${keepUntil}` : deleteAt ? `no longer kept, deleted at ${deleteAt}` : 'no longer kept',
};

/** Adds `sandman hold`, which keeps a session awake for a long job, and `keep`, which protects it from deletion. */
export const addSpans: AddCommand = (program, io) => {
  for (const kind of [HOLD, KEEP]) {
    program
      .command(kind.name)
      .summary(kind.summary)
      .description(kind.description)
      .argument('<uuid>', 'the session', uuidArgument)
      .addOption(
        new Option('--for <duration>', `from now on: ${kind.durations}`)
          .argParser(durationOption(kind.longest))
          .conflicts(['until', 'end']),
      )
      .addOption(new Option('--until <time>', 'ISO 8601, in local time where it names no zone').argParser(timeOption).conflicts('end'))
      .option('--end', 'no longer')
      .addHelpText('after', kind.notes)
      .action(async (uuid: string, { for: duration, until, end }: Options, command) => {
        const { output, client } = invocation(command, io);
        const span = duration !== undefined ? { for: formatDuration(duration) } : until !== undefined ? { until } : null;
        if (!span && !end) throw new CommandFailure(EXIT.usage, 'say --for a duration, --until a time, or --end');
        const session = validateAnswer(SessionSchema, span ? await kind.begin(client, uuid, span) : await kind.end(client, uuid));
        if (output.json) return output.document(session);
        output.line(`${uuid}  ${kind.result(session)}`);
      });
  }
};

import type { SandmanClient } from '@sandman/client';
import { type Session, SessionSchema } from '@sandman/contracts';
import { formatDuration, LIVE_STATUSES, type Status } from '@sandman/core';
import { type Command, Option } from 'commander';
import { changeAll, changeOne } from '../change-all.ts';
import { checked } from '../checked.ts';
import { confirm } from '../confirm.ts';
import { CommandFailure, EXIT } from '../exit.ts';
import type { FilterOptions } from '../listing.ts';
import { durationOption, numberOption } from '../options.ts';
import type { Surroundings } from '../output.ts';
import { selectSessions } from '../selection.ts';
import { type AddCommand, invocation } from './command.ts';

interface Options extends FilterOptions {
  readonly yes?: true;
  readonly dryRun?: true;
  readonly concurrency: number;
  /** How long to wait until awake, in ms. */
  readonly wait?: number;
}

/** One of the commands that change sessions, with its texts. */
interface Kind {
  readonly name: 'sleep' | 'wake' | 'delete';
  readonly summary: string;
  readonly description: string;
  readonly examples: string;
  readonly doing: string;
  readonly done: string;
  /** @param which such as `40 sessions` */
  question(which: string): string;
  /** Whether to ask for confirmation even for one session. */
  readonly asksForOne: boolean;
  /** Statuses that the command can act on. */
  readonly statuses: readonly Status[];
  call(client: SandmanClient, uuid: string, options: Options): Promise<unknown>;
}

const NOT_LEAVING = LIVE_STATUSES.filter((status) => status !== 'deleting');

const SLEEP: Kind = {
  name: 'sleep',
  summary: 'put sessions to sleep now',
  description: 'Puts sessions to sleep now, idle or not; their data stays. Ends a hold.',
  examples: `
  sandman sleep 3f9a1c22
  sandman sleep --status active --dry-run
  sandman sessions -q --all --user ada | sandman sleep - --yes`,
  doing: 'putting to sleep',
  done: 'put to sleep',
  question: (which) => `Put ${which} to sleep?`,
  asksForOne: false,
  statuses: NOT_LEAVING,
  call: (client, uuid) => client.sessions.sleep(uuid),
};

const WAKE: Kind = {
  name: 'wake',
  summary: 'wake sessions',
  description: 'Wakes sessions. It counts as activity: each sleeps again when its policy says so.',
  examples: `
  sandman wake 3f9a1c22 --wait 30s
  sandman wake --user ada --yes`,
  doing: 'waking',
  done: 'woken',
  question: (which) => `Wake ${which}?`,
  asksForOne: false,
  statuses: NOT_LEAVING,
  call: (client, uuid, { wait }) => client.sessions.wake(uuid, wait === undefined ? {} : { wait: formatDuration(wait) }),
};

const DELETE: Kind = {
  name: 'delete',
  summary: 'delete sessions and their data, for good',
  description: 'Deletes sessions now, with their data, for good. Asks first, also about one.',
  examples: `
  sandman delete 3f9a1c22
  sandman delete --user ada --yes`,
  doing: 'deleting',
  done: 'deleted',
  question: (which) => `Delete ${which} and all data in it, for good?`,
  asksForOne: true,
  statuses: LIVE_STATUSES,
  call: (client, uuid) => client.sessions.delete(uuid),
};

const NOTES = `
Several are changed some at a time. After one that fails it goes on, and it sums
up at the end; after Ctrl-C no more are begun. About more than one it asks first,
and where there is no terminal to ask on, it wants --yes.

Each that is done is a line "UUID STATUS"; with --json it is the Session, or
{"uuid", "error": {"code", "status", "detail"}} where it failed.

Examples:`;

async function change(kind: Kind, named: string[], command: Command, surroundings: Surroundings): Promise<void> {
  const { options, output, client, url } = invocation<Options>(command, surroundings);
  const uuids = await selectSessions(named, options, { client, stdin: surroundings.stdin, statuses: kind.statuses });
  const [first] = uuids;
  if (first === undefined) return output.note('no sessions');
  const which = uuids.length === 1 ? `session ${first}` : `${uuids.length} sessions`;

  if (options.dryRun) {
    output.note(`a dry run, nothing is done: ${kind.name} ${which}`);
    for (const uuid of uuids) output.json ? output.document({ uuid }) : output.line(uuid);
    return;
  }
  if (!options.yes && (uuids.length > 1 || kind.asksForOne)) await confirm(kind.question(which), surroundings);

  const act = async (uuid: string): Promise<Session> => {
    const session = checked(SessionSchema, await kind.call(client, uuid, options));
    if (options.wait === undefined || session.status === 'active') return session;
    throw new CommandFailure(EXIT.failed, `session ${uuid} is not awake within ${formatDuration(options.wait)}: it is ${session.status}`);
  };
  if (uuids.length === 1) return changeOne(first, { url, act }, output);
  await changeAll({ uuids, concurrency: options.concurrency, doing: kind.doing, done: kind.done, url, act }, output, surroundings);
}

/** Adds `sandman sleep`, `wake` and `delete`, for one session or many. */
export const addChanges: AddCommand = (program, surroundings) => {
  for (const kind of [SLEEP, WAKE, DELETE]) {
    const command = program
      .command(kind.name)
      .summary(kind.summary)
      .description(kind.description)
      .argument('[uuid...]', 'the sessions; - reads uuids from standard input')
      .option('--user <id>', "all of this user's")
      .addOption(new Option('--status <status>', 'all that are').choices(kind.statuses))
      .option('-y, --yes', 'do not ask')
      .option('--dry-run', 'only list which they would be')
      .addOption(new Option('--concurrency <n>', 'how many at a time').argParser(numberOption(1, 64)).default(8))
      .addHelpText('after', NOTES + kind.examples)
      .action((uuids: string[], _, self: Command) => change(kind, uuids, self, surroundings));
    if (kind === WAKE) command.addOption(new Option('--wait <duration>', 'until awake, at most 120s').argParser(durationOption(120_000)));
  }
};

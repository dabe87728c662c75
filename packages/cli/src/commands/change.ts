import type { SandmanClient } from '@sandman/client';
import { type Session, SessionSchema } from '@sandman/contracts';
import { formatDuration, LIVE_STATUSES, type Status } from '@sandman/core';
import { type Command, Option } from 'commander';
import { changeAll, changeOne } from '../change-all.ts';
import { confirm } from '../confirm.ts';
import { CommandFailure, EXIT } from '../exit.ts';
import { graceOption, graceQuestion } from '../grace.ts';
import type { FilterOptions } from '../listing.ts';
import { durationOption, numberOption } from '../options.ts';
import type { ProcessIo } from '../output.ts';
import { selectSessions } from '../selection.ts';
import { validateAnswer } from '../validate-answer.ts';
import { type AddCommand, invocation } from './command.ts';

interface Options extends FilterOptions {
  readonly yes?: true;
  readonly dryRun?: true;
  readonly concurrency: number;
  /** How long to wait until awake, in ms. */
  readonly wait?: number;
  /** How long after the request to delete, in ms. */
  readonly grace?: number;
  readonly force?: true;
}

/** One of the commands that change sessions, with its texts. */
interface ChangeCommand {
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
  /** Describes a session after its change, in one line. */
  result(session: Session): string;
}

const statusOf = ({ status }: Session) => status;

const NOT_LEAVING = LIVE_STATUSES.filter((status) => status !== 'deleting');

const SLEEP: ChangeCommand = {
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
  result: statusOf,
};

const WAKE: ChangeCommand = {
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
  result: statusOf,
};

const DELETE: ChangeCommand = {
  name: 'delete',
  summary: 'delete sessions and their data, for good',
  description:
    'Deletes sessions with their data, for good: now, or after --grace if the user is not back by then. Asks first, also about one.',
  examples: `
  sandman delete 3f9a1c22
  sandman delete 3f9a1c22 --grace 1h
  sandman delete --user ada --yes`,
  doing: 'deleting',
  done: 'deleted',
  question: (which) => `Delete ${which} with all data, for good?`,
  asksForOne: true,
  statuses: LIVE_STATUSES,
  call: (client, uuid, { grace, force }) =>
    client.sessions.delete(uuid, { grace: grace === undefined ? undefined : formatDuration(grace), force }),
  result: statusOf,
};

/** Makes the command `delete --grace`. @param grace in ms */
const deleteWithGrace = (grace: number): ChangeCommand => ({
  ...DELETE,
  doing: 'putting to sleep',
  done: `put to sleep, deleted in ${formatDuration(grace)}`,
  question: (which) => graceQuestion(`Delete ${which} with all data, for good,`, grace),
  statuses: NOT_LEAVING,
  result: ({ status, deleteAt }) => (deleteAt ? `${status}  deleted at ${deleteAt}` : status),
});

const NOTES = `
Several are changed some at a time. After one that fails it goes on, and it sums
up at the end; after Ctrl-C no more are begun. About more than one it asks first,
and where there is no terminal to ask on, it wants --yes.

Each that is done is a line "UUID STATUS"; with --json it is the Session, or
{"uuid", "error": {"code", "status", "detail"}} where it failed.

Examples:`;

async function change(base: ChangeCommand, named: string[], command: Command, io: ProcessIo): Promise<void> {
  const { options, output, client, url } = invocation<Options>(command, io);
  const kind = options.grace === undefined ? base : deleteWithGrace(options.grace);
  const uuids = await selectSessions(named, options, { client, stdin: io.stdin, statuses: kind.statuses });
  const [first] = uuids;
  if (first === undefined) return output.note('no sessions');
  const which = uuids.length === 1 ? `session ${first}` : `${uuids.length} sessions`;

  if (options.dryRun) {
    output.note(`a dry run, nothing is done: ${kind.name} ${which}`);
    for (const uuid of uuids) output.json ? output.document({ uuid }) : output.line(uuid);
    return;
  }
  if (!options.yes && (uuids.length > 1 || kind.asksForOne)) await confirm(kind.question(which), io);

  const act = async (uuid: string): Promise<Session> => {
    const session = validateAnswer(SessionSchema, await kind.call(client, uuid, options));
    if (options.wait === undefined || session.status === 'active') return session;
    throw new CommandFailure(EXIT.failed, `session ${uuid} is not awake within ${formatDuration(options.wait)}: it is ${session.status}`);
  };
  const { doing, done, result } = kind;
  if (uuids.length === 1) return changeOne(first, { url, act, result }, output);
  await changeAll({ uuids, concurrency: options.concurrency, doing, done, url, act, result }, output, io);
}

/** Adds `sandman sleep`, `wake` and `delete`, for one session or many. */
export const addChanges: AddCommand = (program, io) => {
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
      .action((uuids: string[], _, self: Command) => change(kind, uuids, self, io));
    if (kind === WAKE) command.addOption(new Option('--wait <duration>', 'until awake, at most 120s').argParser(durationOption(120_000)));
    if (kind === DELETE) command.addOption(graceOption()).option('--force', 'delete sessions that are kept, and only such');
  }
};

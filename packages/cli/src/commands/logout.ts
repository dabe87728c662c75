import { ItemsAnswer, type Session } from '@sandman/contracts';
import { formatDuration } from '@sandman/core';
import type { Command } from 'commander';
import { confirm } from '../confirm.ts';
import { graceOption, graceQuestion } from '../grace.ts';
import { allSessions } from '../listing.ts';
import { userArgument } from '../options.ts';
import type { ProcessIo } from '../output.ts';
import { printable } from '../terminal-text.ts';
import { validateAnswer } from '../validate-answer.ts';
import { type AddCommand, type Invocation, invocation } from './command.ts';

interface Options {
  readonly yes?: true;
  readonly dryRun?: true;
  /** In ms. */
  readonly grace?: number;
}

const NOTES = `
Sessions that are kept are put to sleep, and not deleted. With --grace the others
sleep now and are deleted after it, unless the user comes back before.

It asks first, and where there is no terminal to ask on, it wants --yes.

Each session is a line "UUID STATUS"; with --json it is the Session.

Examples:
  sandman logout ada --dry-run
  sandman logout ada --grace 1h
  sandman logout ada --yes`;

const count = ({ length }: readonly Session[], noun = 'session') => `${length} ${noun}${length === 1 ? '' : 's'}`;

async function liveSessions({ client }: Invocation<Options>, user: string): Promise<Session[]> {
  const live: Session[] = [];
  for await (const page of allSessions(client, { user })) live.push(...page.filter(({ status }) => status !== 'deleting'));
  return live;
}

/** Returns the question before a logout; null where it would delete no session. */
function question(user: string, sessions: readonly Session[], grace: number | undefined): string | null {
  const kept = sessions.filter(({ keepUntil }) => keepUntil !== null);
  const deleted = sessions.filter(({ keepUntil }) => keepUntil === null);
  if (deleted.length === 0) return null;
  const sleeps = kept.length > 0 ? `, put ${count(kept, 'kept session')} to sleep,` : '';
  const doing = `Log ${printable(user)} out${sleeps} and delete ${count(deleted)} with all data, for good`;
  return grace === undefined ? `${doing}?` : graceQuestion(`${doing},`, grace);
}

function result({ uuid, status, keepUntil, deleteAt }: Session): string {
  const rest = keepUntil ? `  kept until ${keepUntil}` : deleteAt ? `  deleted at ${deleteAt}` : '';
  return `${uuid}  ${status}${rest}`;
}

async function logout(user: string, command: Command, io: ProcessIo): Promise<void> {
  const context = invocation<Options>(command, io);
  const { options, output, client } = context;
  const { yes, dryRun, grace } = options;

  if (dryRun || !yes) {
    const sessions = await liveSessions(context, user);
    if (sessions.length === 0) return output.note('no sessions');
    if (dryRun) {
      output.note(`a dry run, nothing is done: log ${printable(user)} out of ${count(sessions)}`);
      for (const session of sessions) output.json ? output.document({ uuid: session.uuid }) : output.line(session.uuid);
      return;
    }
    const asked = question(user, sessions, grace);
    if (asked) await confirm(asked, io);
  }
  const left = await client.logout(user, grace === undefined ? {} : { grace: formatDuration(grace) });
  const { items } = validateAnswer(ItemsAnswer, { items: left });
  if (items.length === 0) return output.note('no sessions');
  for (const session of items) output.json ? output.document(session) : output.line(result(session));
}

/** Adds `sandman logout`, which deletes all sessions of a user, as the chat service does at a logout. */
export const addLogout: AddCommand = (program, io) => {
  program
    .command('logout')
    .summary('delete all sessions of a user, as a logout does')
    .description(
      'Deletes all sessions of a user with their data, for good: now, or after --grace if the user is not back by then. Asks first.',
    )
    .argument('<user>', "the user's id", userArgument)
    .addOption(graceOption())
    .option('-y, --yes', 'do not ask')
    .option('--dry-run', 'only list which they would be')
    .addHelpText('after', NOTES)
    .action((user: string, _, self: Command) => logout(user, self, io));
};

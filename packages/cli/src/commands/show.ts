import { HistoryAnswer, type Session, SessionSchema } from '@sandman/contracts';
import type { Static } from 'typebox';
import { uuidArgument } from '../options.ts';
import type { Style } from '../output.ts';
import { formatRoundedDuration, formatUntil } from '../rounded-duration.ts';
import { STATUS_STYLE } from '../session-columns.ts';
import { type Column, Table } from '../table.ts';
import { printable } from '../terminal-text.ts';
import { validateAnswer } from '../validate-answer.ts';
import { type AddCommand, invocation } from './command.ts';

type HistoryEntry = Static<typeof HistoryAnswer>['items'][number];

const EXAMPLES = `
With --json it is one document: the Session, and its changes as "history".

Examples:
  sandman show 3f9a1c22
  sandman show 3f9a1c22 --json | jq -r '.history[0].cause'`;

function past(time: string | null, now: number): string {
  return time === null ? '-' : `${time}  (${formatRoundedDuration(now - Date.parse(time))} ago)`;
}

function future(time: string | null, now: number): string {
  if (time === null) return '-';
  const left = formatUntil(time, now);
  return `${time}  (${left === 'now' ? 'due' : `in ${left}`})`;
}

function policyText({ name, sleepAfter, deleteAfter, backgroundCap }: Session['policy']): string {
  const sleep = sleepAfter === 'never' ? 'never sleeps' : `sleeps after ${sleepAfter} idle`;
  const remove =
    deleteAfter === 'never' ? 'is never deleted' : `is deleted after ${deleteAfter} ${sleepAfter === 'never' ? 'idle' : 'asleep'}`;
  return `${name}: ${sleep}, ${remove}; background activity counts for ${backgroundCap}`;
}

interface LabelledText {
  readonly name: string;
  readonly text: string;
  readonly style?: Style;
}

function fields(session: Session, now: number): LabelledText[] {
  const { status, problem } = session;
  return [
    { name: 'uuid', text: session.uuid },
    { name: 'user', text: session.userId },
    { name: 'status', text: status, style: STATUS_STYLE[status] },
    { name: 'policy', text: policyText(session.policy) },
    { name: 'workspace', text: session.workspaceUrl ?? '-' },
    { name: 'created', text: past(session.createdAt, now) },
    { name: 'last activity', text: past(session.lastActivity, now) },
    { name: 'sleeps', text: future(session.sleepAt, now) },
    { name: 'slept', text: past(session.sleptAt, now) },
    { name: 'deleted', text: future(session.deleteAt, now) },
    { name: 'held until', text: future(session.holdUntil, now) },
    { name: 'kept until', text: future(session.keepUntil, now) },
    problem
      ? { name: 'problem', text: `${problem.failures} failures since ${problem.since}, the last: ${problem.lastError}`, style: 'red' }
      : { name: 'problem', text: '-' },
  ];
}

const HISTORY: Column<HistoryEntry>[] = [
  { title: 'AT', cell: ({ at }) => at },
  { title: 'FROM', cell: ({ from }) => from ?? '-', style: ({ from }) => from && STATUS_STYLE[from] },
  { title: 'TO', cell: ({ to }) => to, style: ({ to }) => STATUS_STYLE[to] },
  { title: 'CAUSE', cell: ({ cause }) => cause },
];

/** Adds `sandman show`, which prints one session and its last changes with their causes. */
export const addShow: AddCommand = (program, system) => {
  program
    .command('show')
    .summary('show one session, and why it is as it is')
    .description('Shows everything of one session, and its last changes, newest first, each with its cause.')
    .argument('<uuid>', 'the session', uuidArgument)
    .addHelpText('after', EXAMPLES)
    .action(async (uuid: string, _, command) => {
      const { output, client } = invocation(command, system);
      const [known, changes] = await Promise.all([client.sessions.get(uuid), client.sessions.history(uuid)]);
      const session = validateAnswer(SessionSchema, known);
      const { items: history } = validateAnswer(HistoryAnswer, { items: changes });
      if (output.json) return output.document({ ...session, history });
      for (const { name, text, style } of fields(session, Date.now())) {
        const shown = printable(text);
        output.line(`${name.padEnd(15)}${style ? output.paint(style, shown) : shown}`);
      }
      output.line('');
      new Table(output, HISTORY).write(history);
    });
};

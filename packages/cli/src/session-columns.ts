import type { Session } from '@sandman/contracts';
import type { Status } from '@sandman/core';
import type { Style } from './output.ts';
import { formatRoundedDuration, formatUntil } from './rounded-duration.ts';
import type { Column } from './table.ts';

/** Colours: awake green, asleep blue, between the two yellow, deleting red, deleted grey. */
export const STATUS_STYLE: Readonly<Record<Status, Style>> = {
  active: 'green',
  'falling-asleep': 'yellow',
  sleeping: 'blue',
  waking: 'yellow',
  deleting: 'red',
  deleted: 'gray',
};

/**
 * Returns the columns of the table of sessions.
 *
 * @param now in ms of the epoch
 */
export function sessionColumns(now: number): Column<Session>[] {
  return [
    { title: 'UUID', cell: ({ uuid }) => uuid, least: 8 },
    { title: 'USER', cell: ({ userId }) => userId, least: 8 },
    { title: 'STATUS', cell: ({ status }) => status, style: ({ status }) => STATUS_STYLE[status] },
    { title: 'POLICY', cell: ({ policy }) => policy.name, least: 8 },
    { title: 'IDLE FOR', cell: ({ lastActivity }) => formatRoundedDuration(now - Date.parse(lastActivity)) },
    { title: 'SLEEPS IN', cell: ({ sleepAt }) => formatUntil(sleepAt, now) },
    { title: 'DELETED IN', cell: ({ deleteAt }) => formatUntil(deleteAt, now) },
    {
      title: 'PROBLEM',
      cell: ({ problem }) => (problem ? `${problem.failures} × ${problem.lastError}` : '-'),
      style: ({ problem }) => (problem ? 'red' : null),
      least: 12,
    },
  ];
}

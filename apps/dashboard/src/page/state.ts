import { STATUSES, UUID } from '@sandman/core';
import type { Overview, SessionDetails, SessionPage, ShownSession } from '../wire.ts';

/** What the page shows. All but `cursors` is in its address, so that a link can be shared. */
export interface Selection {
  /** A user id or a session's uuid; empty: all sessions. */
  readonly find: string;
  readonly status: string;
  /** The uuid of the session that is open; empty: none. */
  readonly session: string;
  /** The cursors of the pages of the list, from the second page on; the page of the last cursor is shown. */
  readonly cursors: readonly string[];
}

/** The state of the event stream; what the page shows is current only while it is `live`. */
type Link = 'live' | 'connecting' | 'lost' | 'refused';

export interface State {
  selection: Selection;
  link: Link;
  /** Why no data arrives although the dashboard answers; null: it does arrive. */
  trouble: string | null;
  overview: Overview | null;
  page: SessionPage | null;
  opened: SessionDetails | null;
  /** How far Redis' clock is ahead of the browser's, in ms. */
  ahead: number;
  /** The message about the result of the last button; empty: none. */
  message: string;
  /** Sessions for which a button was pressed just now. */
  busy: ReadonlySet<string>;
  /** The session whose delete waits for confirmation, as it was when that was requested; null: none. */
  deleting: Pick<ShownSession, 'uuid' | 'userId' | 'keepUntil'> | null;
}

/** The filters of the list: each status, and the sessions whose calls to the session-manager fail. */
export const STATUS_FILTERS: readonly string[] = [...STATUSES, 'failing'];

/** Reads what to show from an address. Invalid values are ignored. */
export function selectionFrom(address: string): Selection {
  const query = new URL(address).searchParams;
  const text = (name: string, fits: (value: string) => boolean) => [query.get(name) ?? ''].find(fits) ?? '';
  return {
    find: text('find', (value) => [...value].length <= 255),
    status: text('status', (value) => STATUS_FILTERS.includes(value)),
    session: text('session', (value) => UUID.test(value)),
    cursors: [],
  };
}

export function addressOf({ find, status, session }: Selection): string {
  const query = new URLSearchParams(Object.entries({ find, status, session }).filter(([, value]) => value !== ''));
  return query.size === 0 ? '/' : `/?${query}`;
}

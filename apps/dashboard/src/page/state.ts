import { STATUSES, UUID } from '@sandman/core';
import type { Opened, Overview, SessionPage } from '../wire.ts';

/** What the page shows. All but `cursors` is in its address, so that a link can be shared. */
export interface Looking {
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
  looking: Looking;
  link: Link;
  /** Why no data arrives although the dashboard answers; null: it does arrive. */
  trouble: string | null;
  overview: Overview | null;
  page: SessionPage | null;
  opened: Opened | null;
  /** How far Redis' clock is ahead of the browser's, in ms. */
  ahead: number;
  /** The message about the result of the last button; empty: none. */
  said: string;
  /** Sessions for which a button was pressed just now. */
  busy: ReadonlySet<string>;
  /** The session whose delete waits for confirmation; null: none. */
  deleting: { readonly uuid: string; readonly userId: string } | null;
}

/** The filters of the list: each status, and the sessions whose calls to the session-manager fail. */
export const CHOICES: readonly string[] = [...STATUSES, 'failing'];

/** Reads what to show from an address. Invalid values are ignored. */
export function lookingFrom(address: string): Looking {
  const query = new URL(address).searchParams;
  const text = (name: string, fits: (value: string) => boolean) => [query.get(name) ?? ''].find(fits) ?? '';
  return {
    find: text('find', (value) => [...value].length <= 255),
    status: text('status', (value) => CHOICES.includes(value)),
    session: text('session', (value) => UUID.test(value)),
    cursors: [],
  };
}

export function addressOf({ find, status, session }: Looking): string {
  const query = new URLSearchParams(Object.entries({ find, status, session }).filter(([, value]) => value !== ''));
  return query.size === 0 ? '/' : `/?${query}`;
}

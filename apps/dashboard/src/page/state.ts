import { STATUSES, UUID } from '@sandman/core';
import type { Opened, Overview, SessionPage } from '../wire.ts';

/** What the address says is looked at, so that a page can be sent to a colleague. */
export interface Looking {
  /** A user or a session; empty: everybody. */
  readonly find: string;
  readonly status: string;
  /** The uuid of the session that is open; empty: none. */
  readonly session: string;
  /** Where each page of the list begins, from the second on; the last one is shown. */
  readonly cursors: readonly string[];
}

/** Whether what is shown is true now. */
type Link = 'live' | 'connecting' | 'lost' | 'refused';

export interface State {
  looking: Looking;
  link: Link;
  /** Why nothing comes though the dashboard answers. */
  trouble: string | null;
  overview: Overview | null;
  page: SessionPage | null;
  opened: Opened | null;
  /** How far Redis' clock is ahead of this one, in ms. */
  ahead: number;
  /** What the last button did. */
  said: string;
  /** Sessions for which a button was pressed just now. */
  busy: ReadonlySet<string>;
  /** The session that is about to be deleted, until that is confirmed. */
  deleting: { readonly uuid: string; readonly userId: string } | null;
}

/** What a list can be narrowed down to: a status, or those whose calls to the session-manager fail. */
export const CHOICES: readonly string[] = [...STATUSES, 'failing'];

/** What makes no sense in an address is left out. */
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

import type { SandmanClient } from '@sandman/client';
import { ListAnswer, type Session } from '@sandman/contracts';
import type { Status } from '@sandman/core';
import { validateAnswer } from './validate-answer.ts';

/** The options of several commands that select sessions. */
export interface FilterOptions {
  readonly user?: string;
  readonly status?: Status;
}

/** Longest page that the API returns. */
const PAGE = 1_000;

/** Reads one page of the sessions that match. */
export async function listSessions(client: SandmanClient, { user, status }: FilterOptions, limit: number, cursor: string | null = null) {
  const filter = { ...(user === undefined ? {} : { userId: user }), ...(status === undefined ? {} : { status }) };
  return validateAnswer(ListAnswer, await client.sessions.list({ ...filter, limit, ...(cursor === null ? {} : { cursor }) }));
}

/** Yields all sessions that match, page by page. */
export async function* allSessions(client: SandmanClient, filter: FilterOptions): AsyncGenerator<Session[]> {
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof listSessions>> = await listSessions(client, filter, PAGE, cursor);
    yield page.items;
    cursor = page.nextCursor;
  } while (cursor !== null);
}

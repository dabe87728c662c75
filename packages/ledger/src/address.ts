import { InvalidInput } from '@sandman/core';

const FORM = 'postgres://LOGIN:PASSWORD@HOST:PORT/DATABASE or mysql://LOGIN:PASSWORD@HOST:PORT/DATABASE';

export type Kind = 'postgres' | 'mysql';

const KINDS: Readonly<Record<string, Kind>> = { 'postgres:': 'postgres', 'postgresql:': 'postgres', 'mysql:': 'mysql' };

/**
 * Which database a `DATABASE_URL` is of.
 *
 * @throws InvalidInput that names the variable and what is expected, never what was given
 */
export function kindOf(text: string): Kind {
  const url = URL.canParse(text) ? new URL(text) : null;
  const kind = url && KINDS[url.protocol];
  // PostgreSQL's drivers take the path of a socket as a parameter.
  const host = url?.hostname || url?.searchParams.get('host');
  if (!kind || !host || url.pathname.length < 2) throw new InvalidInput('DATABASE_URL', `must be ${FORM}`);
  return kind;
}

/** What no waiting will mend, by the codes of Node, PostgreSQL and MySQL. */
const REFUSALS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such host',
  '28P01': 'the database refuses the login',
  '28000': 'the database refuses the login',
  ER_ACCESS_DENIED_ERROR: 'the database refuses the login',
  ER_ACCESS_DENIED_NO_PASSWORD_ERROR: 'the database refuses the login',
  ER_DBACCESS_DENIED_ERROR: 'the database refuses the login',
  '3D000': 'there is no such database',
  ER_BAD_DB_ERROR: 'there is no such database',
};

function codeOf(error: unknown): string {
  return (error as { code?: unknown } | null)?.code?.toString() ?? '';
}

/** Null where the database may come back, or has another fault than its address. */
export function refusalOf(error: unknown): InvalidInput | null {
  const why = REFUSALS[codeOf(error)];
  return why ? new InvalidInput('DATABASE_URL', `must be ${FORM}, of a database that is there: ${why}`) : null;
}

/** What went wrong, in one line for a log: no row and no statement. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message.split('\n')[0] : '';
  return [codeOf(error), message].filter(Boolean).join(': ') || 'unknown';
}

/** Whether it is only that two writers met in the wrong order: at once tried again it goes through. */
export function isDeadlock(error: unknown): boolean {
  return ['40P01', '40001', 'ER_LOCK_DEADLOCK', 'ER_CHECKREAD'].includes(codeOf(error));
}

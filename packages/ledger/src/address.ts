import { InvalidInput } from '@sandman/core';

const DATABASE_URL_FORM = 'postgres://LOGIN:PASSWORD@HOST:PORT/DATABASE or mysql://LOGIN:PASSWORD@HOST:PORT/DATABASE';

export type DatabaseKind = 'postgres' | 'mysql';

const KINDS: Readonly<Record<string, DatabaseKind>> = { 'postgres:': 'postgres', 'postgresql:': 'postgres', 'mysql:': 'mysql' };

/**
 * Tells which kind of database a `DATABASE_URL` is for.
 *
 * @throws InvalidInput that names the variable and the expected form, but does not show the value
 */
export function databaseKindOf(text: string): DatabaseKind {
  const url = URL.canParse(text) ? new URL(text) : null;
  const kind = url && KINDS[url.protocol];
  // PostgreSQL drivers take the path of a socket as the parameter `host`.
  const host = url?.hostname || url?.searchParams.get('host');
  if (!kind || !host || url.pathname.length < 2) throw new InvalidInput('DATABASE_URL', `must be ${DATABASE_URL_FORM}`);
  return kind;
}

const LOGIN = 'the database refuses the login, or the login without TLS';
const RIGHTS = 'the login may not make, read or write the tables';
const TABLES = 'a table or a column of the ledger is missing';
const CERTIFICATE = 'its certificate is not trusted: set NODE_EXTRA_CA_CERTS';
const NO_TLS = 'the database has no TLS';

/**
 * Errors that a retry cannot cure, by the codes of Node, PostgreSQL and MySQL. "Read-only" is not among them: a standby is
 * read-only for a while during a failover, so it is retried.
 */
const REFUSALS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such host',
  '28P01': LOGIN,
  '28000': LOGIN,
  ER_ACCESS_DENIED_ERROR: LOGIN,
  ER_ACCESS_DENIED_NO_PASSWORD_ERROR: LOGIN,
  ER_SECURE_TRANSPORT_REQUIRED: LOGIN,
  '3D000': 'there is no such database',
  ER_BAD_DB_ERROR: 'there is no such database',
  '42501': RIGHTS,
  ER_DBACCESS_DENIED_ERROR: 'the login may not use that database, or make tables there',
  ER_TABLEACCESS_DENIED_ERROR: RIGHTS,
  ER_COLUMNACCESS_DENIED_ERROR: RIGHTS,
  '42P01': TABLES,
  '42703': TABLES,
  ER_NO_SUCH_TABLE: TABLES,
  ER_BAD_FIELD_ERROR: TABLES,
  SELF_SIGNED_CERT_IN_CHAIN: CERTIFICATE,
  DEPTH_ZERO_SELF_SIGNED_CERT: CERTIFICATE,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: CERTIFICATE,
  UNABLE_TO_GET_ISSUER_CERT: CERTIFICATE,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: CERTIFICATE,
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host name',
  HANDSHAKE_NO_SSL_SUPPORT: NO_TLS,
};

function codeOf(error: unknown): string {
  return (error as { code?: unknown } | null)?.code?.toString() ?? '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : '';
}

/** Returns why a retry cannot cure the error; undefined if it may. */
function reasonOfRefusal(error: unknown): string | undefined {
  const code = codeOf(error);
  // mysql2 replaces every TLS error's code with this one, even if the connection only broke.
  if (code === 'HANDSHAKE_SSL_ERROR') return /certificate(?! has expired)/.test(messageOf(error)) ? CERTIFICATE : undefined;
  if (messageOf(error) === 'The server does not support SSL connections') return NO_TLS;
  return REFUSALS[code];
}

/** Makes an error that names `DATABASE_URL` and says why the ledger cannot use that database. */
export function unusable(why: string): InvalidInput {
  return new InvalidInput('DATABASE_URL', `must be ${DATABASE_URL_FORM}, of a database that the ledger can use: ${why}`);
}

/** Turns a database error that a retry cannot cure into one that names `DATABASE_URL`; returns null for any other. */
export function refusalOf(error: unknown): InvalidInput | null {
  if (error instanceof InvalidInput) return error;
  const why = reasonOfRefusal(error);
  return why ? unusable(why) : null;
}

/** Describes an error in one line for a log, without rows or statements. */
export function reasonOf(error: unknown): string {
  return [codeOf(error), messageOf(error)].filter(Boolean).join(': ') || 'unknown';
}

/** Tells whether an error is a deadlock or a write conflict of two writers, which an immediate retry cures. */
export function isDeadlock(error: unknown): boolean {
  return ['40P01', '40001', 'ER_LOCK_DEADLOCK', 'ER_CHECKREAD'].includes(codeOf(error));
}

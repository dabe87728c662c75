import { type ErrorCode, SandmanError } from '@sandman/core';
import type { Problem } from './schemas.ts';

/** What a process may answer beside the domain's errors. */
export type ProblemCode = ErrorCode | 'forbidden' | 'internal';

const PROBLEMS: Record<ProblemCode, { status: number; title: string }> = {
  unauthorized: { status: 401, title: 'Missing or wrong API key' },
  forbidden: { status: 403, title: 'Not allowed' },
  'invalid-request': { status: 400, title: 'Invalid request' },
  'payload-too-large': { status: 413, title: 'Payload too large' },
  'not-found': { status: 404, title: 'No such route' },
  'session-not-found': { status: 404, title: 'Session not found' },
  'session-deleted': { status: 410, title: 'Session deleted' },
  conflict: { status: 409, title: 'Conflict' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'session-manager-error': { status: 502, title: 'The session-manager failed' },
  'session-manager-timeout': { status: 504, title: 'The session-manager did not answer in time' },
  'not-ready': { status: 503, title: 'Not ready' },
  internal: { status: 500, title: 'Internal error' },
};

/** RFC 9457's media type. */
export const PROBLEM_TYPE = 'application/problem+json';

/** How long a caller should wait while Redis is away, a process has too much to do, or the caller has, in s. */
export const RETRY_AFTER_S = 1;

/** What Redis says of a user who may not do what is asked. Waiting mends nothing, an operator does. */
const REDIS_REFUSES = /^(NOPERM|NOAUTH|WRONGPASS)\b|ACL failure in script/;

/** What ioredis and Redis say when the one cannot reach the other, or the other cannot serve. */
const REDIS_AWAY =
  /Connection is closed|Stream isn't writeable|Command timed out|max retries per request|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|Cluster isn't ready|startup nodes|Cluster redirections|slots allocation group|^(LOADING|READONLY|CLUSTERDOWN|MOVED|ASK|MASTERDOWN|TRYAGAIN|MISCONF|OOM|NOREPLICAS|BUSY|UNBLOCKED)\b/i;

/** A web framework's errors, as far as they say what was wrong. */
interface HttpError extends Error {
  readonly code?: string;
  readonly statusCode?: number;
  readonly validation?: readonly { readonly instancePath: string; readonly params: Record<string, unknown>; readonly message?: string }[];
  readonly validationContext?: string;
}

export function problem(code: ProblemCode, detail: string): Problem {
  const { status, title } = PROBLEMS[code];
  return { type: `urn:sandman:problem:${code}`, title, status, detail, code };
}

function invalid({ message, validation, validationContext }: HttpError): Problem {
  const first = validation?.[0];
  if (!first) return problem('invalid-request', message);
  const path = first.instancePath.slice(1).replaceAll('/', '.');
  const stranger = first.params.additionalProperty ?? first.params.missingProperty;
  const field = [path, stranger].filter(Boolean).join('.') || validationContext || 'body';
  return problem('invalid-request', `${field}: ${first.message}`);
}

/** Whether Redis does not let this process do what it needs to: its user lacks permissions, or its password is wrong. */
export function isRefusedByRedis({ message }: Error): boolean {
  return REDIS_REFUSES.test(message);
}

/** The one place where errors become what callers are told. */
export function problemOf(error: HttpError): Problem {
  if (error instanceof SandmanError) return problem(error.code, error.message);
  if (error.validation) return invalid(error);
  if (error.statusCode === 413) return problem('payload-too-large', error.message);
  if (error.statusCode !== undefined && error.statusCode < 500) return problem('invalid-request', error.message);
  const text = `${error.message} ${error.code ?? ''} ${error.cause instanceof Error ? error.cause.message : ''}`;
  if (isRefusedByRedis(error)) return problem('not-ready', 'Redis refuses what this process asks of it');
  if (REDIS_AWAY.test(text)) return problem('not-ready', 'Redis cannot be reached');
  return problem('internal', 'Something went wrong here');
}

import { type ErrorCode, SandmanError } from '@sandman/core';
import type { Problem } from './schemas.ts';

/** Every code that a caller may receive, with its HTTP status and title. */
const PROBLEMS = {
  unauthorized: { status: 401, title: 'Missing or wrong API key' },
  forbidden: { status: 403, title: 'Not allowed' },
  'invalid-request': { status: 400, title: 'Invalid request' },
  'payload-too-large': { status: 413, title: 'Payload too large' },
  'not-found': { status: 404, title: 'No such route' },
  'session-not-found': { status: 404, title: 'Session not found' },
  'session-deleted': { status: 410, title: 'Session deleted' },
  conflict: { status: 409, title: 'Conflict' },
  kept: { status: 409, title: 'Session kept' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'session-manager-error': { status: 502, title: 'The session-manager failed' },
  'session-manager-timeout': { status: 504, title: 'The session-manager did not answer in time' },
  'not-ready': { status: 503, title: 'Not ready' },
  internal: { status: 500, title: 'Internal error' },
} satisfies Record<ErrorCode, unknown> & Record<string, { status: number; title: string }>;

/** The codes of the domain, and those that only HTTP needs. */
export type ProblemCode = keyof typeof PROBLEMS;

/** The media type of RFC 9457. */
export const PROBLEM_TYPE = 'application/problem+json';

/** How long a caller should wait before it tries again, in s: Redis is away, the process is overloaded, or a rate limit is reached. */
export const RETRY_AFTER_S = 1;

/** An error of the web framework, with the fields that say what was wrong. */
interface HttpError extends Error {
  readonly code?: string;
  readonly statusCode?: number;
  readonly validation?: readonly { readonly instancePath: string; readonly params: Record<string, unknown>; readonly message?: string }[];
  readonly validationContext?: string;
}

/** An error that only HTTP knows: of keys, limits and routes. Those of the domain are {@link SandmanError}. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: Exclude<ProblemCode, ErrorCode>;

  constructor(code: Exclude<ProblemCode, ErrorCode>, detail: string) {
    super(detail);
    this.code = code;
  }
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

/**
 * Maps an error to the problem that callers get. No other place does this.
 *
 * @param redis what the error says about Redis: that it refuses a command, or that it is away; null: nothing
 */
export function problemOf(error: HttpError, redis: 'refuses' | 'away' | null): Problem {
  if (error instanceof SandmanError || error instanceof ProblemError) return problem(error.code, error.message);
  if (error.validation) return invalid(error);
  if (error.statusCode === 413) return problem('payload-too-large', error.message);
  if (error.statusCode !== undefined && error.statusCode < 500) return problem('invalid-request', error.message);
  if (redis === 'refuses') return problem('not-ready', 'Redis refuses what this process asks of it');
  if (redis === 'away') return problem('not-ready', 'Redis cannot be reached');
  return problem('internal', 'Something went wrong here');
}

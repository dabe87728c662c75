import type { Problem } from '@sandman/contracts';
import { type ErrorCode, SandmanError } from '@sandman/core';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';

const PROBLEMS: Record<ErrorCode | 'internal', { status: number; title: string }> = {
  unauthorized: { status: 401, title: 'Missing or wrong API key' },
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

/** How long a caller should wait while Redis is away, in s. */
const RETRY_AFTER_S = 1;

/** What ioredis and Redis say when the one cannot reach the other, or the other cannot serve. */
const REDIS_AWAY =
  /Connection is closed|Stream isn't writeable|Command timed out|max retries per request|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|Cluster isn't ready|startup nodes|^(LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MISCONF|OOM|NOREPLICAS)/i;

function problem(code: ErrorCode | 'internal', detail: string): Problem {
  const { status, title } = PROBLEMS[code];
  return { type: `urn:sandman:problem:${code}`, title, status, detail, code };
}

function invalid(error: FastifyError): Problem {
  const first = error.validation?.[0];
  if (!first) return problem('invalid-request', error.message);
  const path = first.instancePath.slice(1).replaceAll('/', '.');
  const stranger = first.params.additionalProperty ?? first.params.missingProperty;
  const field = [path, stranger].filter(Boolean).join('.') || error.validationContext || 'body';
  return problem('invalid-request', `${field}: ${first.message}`);
}

function describe(error: FastifyError): Problem {
  if (error instanceof SandmanError) return problem(error.code, error.message);
  if (error.validation) return invalid(error);
  if (error.statusCode === 413) return problem('payload-too-large', error.message);
  if (error.statusCode !== undefined && error.statusCode < 500) return problem('invalid-request', error.message);
  const cause = (error as { cause?: unknown }).cause;
  const text = `${error.message} ${(error as { code?: string }).code ?? ''} ${cause instanceof Error ? cause.message : ''}`;
  if (REDIS_AWAY.test(text)) return problem('not-ready', 'Redis cannot be reached');
  return problem('internal', 'Something went wrong here');
}

/** The one place where errors become answers. */
export function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const answer = describe(error);
  if (answer.code === 'internal') request.log.error({ err: error }, 'unexpected error');
  if (answer.code === 'not-ready') reply.header('retry-after', RETRY_AFTER_S);
  return reply.code(answer.status).type('application/problem+json').send(JSON.stringify(answer));
}

/** The code that a rejected event of a batch carries; null for a fault that fails the whole call. */
export function rejection(error: unknown): ErrorCode | null {
  return error instanceof SandmanError ? error.code : null;
}

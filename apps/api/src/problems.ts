import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
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

/** How long a caller should wait while Redis is away, this process has too much to do, or the caller has, in s. */
const RETRY_AFTER_S = 1;

/** What ioredis and Redis say when the one cannot reach the other, or the other cannot serve. */
const REDIS_AWAY =
  /Connection is closed|Stream isn't writeable|Command timed out|max retries per request|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|Cluster isn't ready|startup nodes|Cluster redirections|slots allocation group|^(LOADING|READONLY|CLUSTERDOWN|MOVED|ASK|MASTERDOWN|TRYAGAIN|MISCONF|OOM|NOREPLICAS)/i;

const PROBLEM_TYPE = 'application/problem+json';

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
  if (answer.code === 'not-ready' || answer.code === 'rate-limited') reply.header('retry-after', RETRY_AFTER_S);
  return reply.code(answer.status).type(PROBLEM_TYPE).send(JSON.stringify(answer));
}

const OVERLOADED = problem('not-ready', 'More calls than can be taken at the moment');
const OVERLOADED_BODY = JSON.stringify(OVERLOADED);

/**
 * The head of the answer to a call too many; its body is returned. Nothing is thrown and nothing written anew: it is
 * needed where there is no time.
 */
export function overloaded(reply: FastifyReply): string {
  reply.code(OVERLOADED.status).type(PROBLEM_TYPE).header('retry-after', RETRY_AFTER_S);
  return OVERLOADED_BODY;
}

const UNREADABLE: Record<string, { status: number; detail: string }> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: 'The request did not arrive in time' },
  HPE_HEADER_OVERFLOW: { status: 431, detail: 'The address and headers together are longer than 16 KB' },
};

/**
 * Answers what is no request, or none in time, and closes. Nothing of it is logged: Node's error holds the raw bytes,
 * the key among them.
 */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.writable) {
    const { status, detail } = UNREADABLE[error.code ?? ''] ?? { status: 400, detail: 'This is not HTTP/1.1' };
    const body = JSON.stringify({ ...problem('invalid-request', detail), status });
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      `content-type: ${PROBLEM_TYPE}`,
      `content-length: ${body.length}`,
      'connection: close',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  }
  socket.destroySoon();
}

/** The code that a rejected event of a batch carries; null for a fault that fails the whole call. */
export function rejection(error: unknown): ErrorCode | null {
  return error instanceof SandmanError ? error.code : null;
}

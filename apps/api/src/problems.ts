import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { PROBLEM_TYPE, ProblemError, problem, problemOf, RETRY_AFTER_S } from '@sandman/contracts';
import { type ErrorCode, SandmanError } from '@sandman/core';
import { redisTrouble } from '@sandman/runtime';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';

/** Answers an error as problem+json, and logs it if it is a fault. */
export function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const redis = redisTrouble(error);
  const answer = problemOf(error, redis);
  if (answer.code === 'internal') request.log.error({ err: error }, 'unexpected error');
  if (redis === 'refuses') request.log.error({ err: error }, 'Redis refuses a command: check its user and permissions');
  if (answer.code === 'not-ready' || answer.code === 'rate-limited') reply.header('retry-after', RETRY_AFTER_S);
  // The caller is still sending. Fastify would close the connection now, and the caller may see a reset instead of the answer, so
  // the rest is read and dropped. A body without a length may have no end, and is cut off.
  if (answer.code === 'payload-too-large' && request.headers['content-length'] !== undefined) {
    reply.removeHeader('connection');
    request.raw.resume();
  }
  return reply.code(answer.status).type(PROBLEM_TYPE).send(JSON.stringify(answer));
}

const OVERLOADED = problem('not-ready', 'More calls than can be taken at the moment');
const OVERLOADED_BODY = JSON.stringify(OVERLOADED);

/**
 * Sets status and headers of the answer to a call that is refused because of overload, and returns its body. It throws no error
 * and serializes nothing, because refusals must be cheap.
 */
export function overloaded(reply: FastifyReply): string {
  reply.code(OVERLOADED.status).type(PROBLEM_TYPE).header('retry-after', RETRY_AFTER_S);
  return OVERLOADED_BODY;
}

const UNREADABLE: Record<string, { status: number; detail: string }> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: 'The request did not arrive in time' },
  HPE_HEADER_OVERFLOW: { status: 431, detail: 'The address and headers together are longer than 16 KB' },
};

/** Makes the error for a path without a route. */
export function noSuchRoute(): ProblemError {
  return new ProblemError('not-found', 'There is no such route');
}

/**
 * Answers bytes that are not a valid request, or not in time, and closes the connection. It writes nothing if an earlier request
 * on the connection is still being answered, since the caller would take the error for that answer. It logs nothing, because
 * Node's error holds the raw bytes, including the key.
 */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket & { _httpMessage?: ServerResponse | null }): void {
  // `_httpMessage` is undocumented; Node's own handler uses it too. If that request's own body broke off, the error is its answer.
  const next = socket._httpMessage;
  if (socket.writable && (!next || !(next.headersSent || next.req.complete))) {
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

/** Returns the code of a rejected event in a batch; null for a fault, which fails the whole call. */
export function rejectionCode(error: unknown): ErrorCode | null {
  return error instanceof SandmanError ? error.code : null;
}

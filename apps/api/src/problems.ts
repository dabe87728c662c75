import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { isRefusedByRedis, PROBLEM_TYPE, problem, problemOf, RETRY_AFTER_S } from '@sandman/contracts';
import { type ErrorCode, SandmanError } from '@sandman/core';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';

/** Answers an error. */
export function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const answer = problemOf(error);
  if (answer.code === 'internal') request.log.error({ err: error }, 'unexpected error');
  if (isRefusedByRedis(error)) request.log.error({ err: error }, 'Redis refuses a command: check its user and permissions');
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

/** The answer to a path that has no route. */
export function noSuchRoute(): SandmanError {
  return new SandmanError('not-found', 'There is no such route');
}

/**
 * Answers what is no request, or none in time, and closes. It writes nothing where the connection's next answer is another
 * request's: that one may have begun, and would be taken for it. Nothing is logged: Node's error holds the raw bytes, the key
 * among them.
 */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket & { _httpMessage?: ServerResponse | null }): void {
  // Undocumented; Node's own handler goes by it, too. A body that breaks off is its own request's.
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

/** The code that a rejected event of a batch carries; null for a fault that fails the whole call. */
export function rejection(error: unknown): ErrorCode | null {
  return error instanceof SandmanError ? error.code : null;
}

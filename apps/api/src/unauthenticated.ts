import type { Socket } from 'node:net';
import { ProblemError } from '@sandman/contracts';
import { Places, whenOver } from '@sandman/runtime';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { noSuchRoute, overloaded } from './problems.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route needs no key; every other route does. A `large` answer has some MB or is costly to make. */
    readonly withoutKey?: 'small' | 'large';
  }
}

/**
 * Connections that have not carried a valid key yet. Above the first number, those older than `KEY_WITHIN_MS` are closed, the
 * oldest first; above the second, the oldest is closed whatever its age. Each holds 10 KB, and 25 KB with long headers.
 */
const MANY_CONNECTIONS = 2_000;
const MOST_CONNECTIONS = 8_000;
/** How long a connection may take to carry a key when there are many, in ms: all clients may reconnect at the same time. */
const KEY_WITHIN_MS = 3_000;
/**
 * Requests without a key that are answered per second. Further refusals are spaced at this rate, so that callers that reconnect
 * after each one cost no more. If a refusal would wait longer than `LONGEST_WAIT_MS`, its connection is closed without an answer.
 */
const ANSWERS_PER_SECOND = 500;
const LONGEST_REFUSAL_WAIT_MS = 10_000;
/** How long an answer above that rate waits on a route that needs no key, in ms. It is short because health checks time out. */
const ANSWER_DELAY_MS = 500;
/** Large answers at the same time to callers without a key, and as many again to callers with one. */
const MOST_LARGE = 8;
/** How long a caller may take to read a large answer, in ms. */
const READ_MS = 10_000;

/**
 * Bounds what callers without a valid key can cost, so that neither their number nor their slowness keeps out callers with a
 * key. Callers without a key have a share of their own, one request at a time, and are answered before a body is read. A refusal
 * closes their connection.
 *
 * Without a key, every route that is not `withoutKey` gets ProblemError `unauthorized`, and an unknown path outside `/v1` gets
 * `not-found`. With a key, every unknown path gets `not-found`. Both are answered before the body is read.
 *
 * @param isKnown tells whether a request's headers carry a valid key
 */
export function boundUnauthenticated(app: FastifyInstance, isKnown: (headers: FastifyRequest['headers']) => boolean): void {
  /** When each connection was opened, in ms as of `performance.now()`; the oldest first. */
  const connections = new Map<Socket, number>();
  /** Connections with a request in progress, and connections that close because a request was refused. */
  const busy = new WeakSet<Socket>();
  const refused = new WeakSet<Socket>();
  const large = { known: new Places(MOST_LARGE), unknown: new Places(MOST_LARGE) };
  let second = 0;
  let answered = 0;
  /** When the last planned refusal is sent, in ms as of `performance.now()`. */
  let lastTurn = 0;

  app.server.on('connection', (socket: Socket) => {
    const now = performance.now();
    connections.set(socket, now);
    socket.once('close', () => connections.delete(socket));
    for (const [oldest, openedAt] of connections) {
      const isTooOld = connections.size > MANY_CONNECTIONS && now - openedAt > KEY_WITHIN_MS;
      if (!isTooOld && connections.size <= MOST_CONNECTIONS) break;
      connections.delete(oldest);
      oldest.destroy();
    }
  });

  /** Calls `answer` now, or after `ANSWER_DELAY_MS` if this second's share is used up. */
  const soon = (answer: () => void) => {
    const now = Math.floor(performance.now() / 1_000);
    if (now !== second) [second, answered] = [now, 0];
    answered += 1;
    if (answered <= ANSWERS_PER_SECOND) answer();
    else setTimeout(answer, ANSWER_DELAY_MS);
  };

  /** Calls `refuse` in turn: at once if there were fewer than `MOST_PER_SECOND` within the last second. */
  const inTurn = (socket: Socket, refuse: () => void) => {
    const now = performance.now();
    const turn = Math.max(lastTurn, now - 1_000) + 1_000 / ANSWERS_PER_SECOND;
    if (turn - now > LONGEST_REFUSAL_WAIT_MS) return void socket.destroy();
    lastTurn = turn;
    if (turn <= now) refuse();
    else setTimeout(refuse, turn - now);
  };

  /** Lets a large request through and closes its connection if the answer is not read in time. Refuses it if all places are taken. */
  const answerLarge = (reply: FastifyReply, places: Places, done: () => void) => {
    const { raw } = reply;
    const release = places.take();
    if (!release) return void reply.header('connection', 'close').send(overloaded(reply));
    const slow = setTimeout(() => raw.destroy(), READ_MS);
    whenOver(raw, () => {
      clearTimeout(slow);
      release();
    });
    done();
  };

  app.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw;
    const { withoutKey } = request.routeOptions.config;
    if (isKnown(request.headers)) {
      connections.delete(socket);
      if (withoutKey === 'large') return answerLarge(reply, large.known, done);
      return done(request.is404 ? noSuchRoute() : undefined);
    }
    // Requests pipelined after a refused one are dropped with the connection.
    if (refused.has(socket)) return;
    // Without a key, a second request before the first answer is treated as a flood.
    if (busy.has(socket)) return void socket.destroy();
    busy.add(socket);
    whenOver(reply.raw, () => busy.delete(socket));

    if (!withoutKey) {
      refused.add(socket);
      reply.header('connection', 'close');
      const error = request.is404 && !/^\/v1(?![^/?])/.test(request.url) ? noSuchRoute() : unauthorized();
      return inTurn(socket, () => done(error));
    }
    soon(() => {
      if (withoutKey === 'large') answerLarge(reply, large.unknown, done);
      else done();
    });
  });
}

function unauthorized(): ProblemError {
  return new ProblemError('unauthorized', 'Give a key as X-API-Key or as Authorization: Bearer');
}

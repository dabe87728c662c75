import type { Socket } from 'node:net';
import { SandmanError } from '@sandman/core';
import { Places, whenOver } from '@sandman/runtime';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { noSuchRoute, overloaded } from './problems.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered without a key. A `large` answer is some MB, or takes work. Every other route needs a key. */
    readonly withoutKey?: 'small' | 'large';
  }
}

/**
 * Connections that have not carried a valid key yet. Beyond the first number those are closed that had time to send one, the
 * oldest first; beyond the second the oldest is. They hold 10 KB each, and 25 KB with long headers.
 */
const MANY_CONNECTIONS = 2_000;
const MOST_CONNECTIONS = 8_000;
/** How long a connection is given to carry a key where there are many, in ms: a whole fleet may connect anew at once. */
const CONNECTED_MS = 3_000;
/**
 * Requests without a key that are answered per second. Refusals beyond that take turns, so that callers who connect anew
 * after each one cost no more; one that would wait for too long is not answered, and its connection is closed.
 */
const MOST_PER_SECOND = 500;
const LONGEST_WAIT_MS = 10_000;
/** How long an answer beyond that waits where no key is needed, in ms: a probe must not wait for long. */
const WAIT_MS = 500;
/** Large answers at once to callers without a key, and as many to those with one. */
const MOST_LARGE = 8;
/** How long a caller may take to read a large answer, in ms. */
const READ_MS = 10_000;

/**
 * Bounds what callers without a valid key can cost, so that neither their number nor their slowness keeps callers with a
 * key out. They have a share of their own, are answered before a body is read, and one request at a time; a refusal
 * closes their connection.
 *
 * Every route that is not `withoutKey` is refused without a key: SandmanError `unauthorized`. An unknown path outside `/v1` is
 * `not-found`, also with a key, before its body is read.
 *
 * @param isKnown whether a request's headers carry a valid key
 */
export function boundUnauthenticated(app: FastifyInstance, isKnown: (headers: FastifyRequest['headers']) => boolean): void {
  /** When each was opened, the oldest first. */
  const connections = new Map<Socket, number>();
  /** Those that have a request in hand, and those that were refused one and close. */
  const busy = new WeakSet<Socket>();
  const refused = new WeakSet<Socket>();
  const large = { known: new Places(MOST_LARGE), unknown: new Places(MOST_LARGE) };
  let second = 0;
  let answered = 0;
  /** When the last refusal has its turn, as `performance.now()` has it. */
  let lastTurn = 0;

  app.server.on('connection', (socket: Socket) => {
    const now = performance.now();
    connections.set(socket, now);
    socket.once('close', () => connections.delete(socket));
    for (const [oldest, openedAt] of connections) {
      const isTooOld = connections.size > MANY_CONNECTIONS && now - openedAt > CONNECTED_MS;
      if (!isTooOld && connections.size <= MOST_CONNECTIONS) break;
      connections.delete(oldest);
      oldest.destroy();
    }
  });

  /** Calls `answer` now or, beyond the share of this second, a little later. */
  const soon = (answer: () => void) => {
    const now = Math.floor(performance.now() / 1_000);
    if (now !== second) [second, answered] = [now, 0];
    answered += 1;
    if (answered <= MOST_PER_SECOND) answer();
    else setTimeout(answer, WAIT_MS);
  };

  /** Calls `refuse` when it has its turn: at once while there were few within the last second. */
  const inTurn = (socket: Socket, refuse: () => void) => {
    const now = performance.now();
    const turn = Math.max(lastTurn, now - 1_000) + 1_000 / MOST_PER_SECOND;
    if (turn - now > LONGEST_WAIT_MS) return void socket.destroy();
    lastTurn = turn;
    if (turn <= now) refuse();
    else setTimeout(refuse, turn - now);
  };

  /** Answers a large request, which is given a time until which it must be read, or refuses it. */
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
    // What was sent behind a refused request is dropped with its connection.
    if (refused.has(socket)) return;
    // Only a flood sends the next request before it has an answer.
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

function unauthorized(): SandmanError {
  return new SandmanError('unauthorized', 'Give a key as X-API-Key or as Authorization: Bearer');
}

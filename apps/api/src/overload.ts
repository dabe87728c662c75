import type { IncomingHttpHeaders } from 'node:http';
import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import underPressure from '@fastify/under-pressure';
import { Places, whenOver } from '@sandman/runtime';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { overloaded } from './problems.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * The route waits for something other than Redis, possibly for long. Such requests do not show how busy this process is, so
     * they are bounded by the memory they hold and not by their number.
     */
    readonly waits?: true;
    /** Called instead of the handler when there is no memory for a request, to record the user's activity all the same. */
    readonly refused?: (request: FastifyRequest) => void;
  }
  interface FastifyInstance {
    /** Whether calls are refused because of overload and none was accepted for 5 s. */
    isStuck(): boolean;
    /** Whether calls are refused because of overload: one was within the last 2 s, or the next one would be. */
    isShedding(): boolean;
  }
  interface FastifyRequest {
    /** Bytes of the body that stay in memory after it was read; the rest of the reservation is released then. */
    keptBytes: number;
    /** Work that may continue after the caller has disconnected; its memory stays reserved until it settles. It must not reject. */
    work: Promise<unknown> | null;
    /** Called once the body is read. */
    bodyRead: () => void;
  }
}

/**
 * Requests in flight that wait only for this process and Redis. They are served in order, so the last one waits for all others;
 * if that exceeded the time-out of a Redis command (800 ms), the work on it would be lost. Measured: 1,000 are answered within
 * 300 ms on two cores shared with Redis and the callers.
 */
const MOST_IN_FLIGHT = 1_000;

/** Bytes of a body that weigh as much as one more request: a batch causes as much work as many requests. */
const BYTES_PER_WEIGHT = 1_024;
/** The largest weight of a request, whatever its length: one slow upload must not keep all other requests out. */
const HEAVIEST_REQUEST = 100;

/** The length above which a body needs a reservation of memory, in bytes; shorter ones are bounded by the requests in flight. */
const LONG_BODY = BYTES_PER_WEIGHT * HEAVIEST_REQUEST;
/** What a waiting request holds besides its body, in bytes: sockets, buffers and timers. */
const WAITING_BYTES = 65_536;

/** The share of the memory for long bodies and waiting requests; the rest is for the heap and for parsing. */
const MEMORY_SHARE = 1 / 6;

/** Returns how many bytes this process may hold for its callers, from the memory of its container and the limit of its heap. */
function memoryBudget(): number {
  const memory = process.constrainedMemory() || totalmem();
  // Bodies are outside the heap, but a heap limit set by the operator shows how small the process is meant to be.
  return MEMORY_SHARE * Math.min(memory, totalmem(), 2 * getHeapStatistics().heap_size_limit);
}

/** Returns the length of a request's body in bytes; `longest`, the route's limit, if the request does not state it. */
function lengthOf({ 'content-length': length = '0', 'transfer-encoding': chunked }: IncomingHttpHeaders, longest: number): number {
  return chunked === undefined ? Math.min(Number(length), longest) : longest;
}

/**
 * The largest accepted mean delay of the event loop over a sample, in ms. It catches what the count does not: few but heavy
 * requests. Utilisation is not used: a loop that is always busy and answers in 20 ms is fine.
 */
const LONGEST_LOOP_DELAY_MS = 500;
const LOOP_SAMPLE_MS = 1_000;

/** The largest accepted use of the heap, as a share of Node's heap limit. Above it, garbage collection takes most of the time. */
const HEAP_SHARE = 0.8;

/**
 * Requests accepted regardless of delay and heap. After a pause (the start, a SIGSTOP, a suspended machine) the measured delay
 * is high, but a process without requests must not refuse its first callers.
 */
const ALWAYS_ACCEPTED = 50;

/**
 * How long a refusal is delayed, in ms. Otherwise callers that retry at once would occupy the whole process. Measured with 4,000
 * such connections: accepted pings fall from 5,700 to 300 per second, and each takes seconds, because libuv keeps reading sockets
 * while more than 1,024 are readable, and runs no timer and sends no answer meanwhile.
 */
const REFUSAL_DELAY_MS = 500;

/** Refusals delayed at the same time, about 10 KB each; further ones are sent at once. Only pipelining leads to so many. */
const MOST_DELAYED_REFUSALS = 10_000;

/**
 * A full process counts as stuck after this long without accepting a call, in ms. One that is full for a moment, or accepts some
 * calls and refuses others, is not stuck: if the load balancer left it out, its load would overload the other processes.
 */
const STUCK_MS = 5_000;

/** How long the process counts as shedding after a refused call, in ms; by then the caller should have tried again. */
const SHEDDING_MS = 2_000;

/** Refuses requests with a key that exceed what the process can serve, before it reads their bodies. */
export async function shedOverload(app: FastifyInstance, bytes = memoryBudget()): Promise<void> {
  /** The summed weights of all requests in flight, and of those on routes that wait. */
  let taken = 0;
  let waiting = 0;
  let lastShedAt = Number.NEGATIVE_INFINITY;
  let lastTakenAt = performance.now();
  const paused = new Places(MOST_DELAYED_REFUSALS);
  const held = new Places(bytes);
  /** Bodies without a stated length are charged for the longest possible one, and together get half of the memory. */
  const heldByUnknown = new Places(bytes / 2);

  await app.register(underPressure, {
    sampleInterval: LOOP_SAMPLE_MS,
    maxEventLoopDelay: LONGEST_LOOP_DELAY_MS,
    maxHeapUsedBytes: HEAP_SHARE * getHeapStatistics().heap_size_limit,
    // The plugin only measures; the hook below acts on its figures and on the count.
    pressureHandler: () => {},
  });
  const isFull = () => taken - waiting >= MOST_IN_FLIGHT || (taken >= ALWAYS_ACCEPTED && app.isUnderPressure());
  app.decorate('isStuck', () => isFull() && performance.now() - lastTakenAt > STUCK_MS);
  app.decorate('isShedding', () => isFull() || performance.now() - lastShedAt < SHEDDING_MS);
  app.decorateRequest('keptBytes', 0);
  app.decorateRequest('work', null);
  app.decorateRequest('bodyRead', () => {});

  const refuse = (reply: FastifyReply) => {
    const resume = paused.take();
    if (!resume) return void reply.send(overloaded(reply));
    setTimeout(() => {
      resume();
      reply.send(overloaded(reply));
    }, REFUSAL_DELAY_MS);
  };

  /** Reserves the memory that a request needs until it is over. Returns false if too little is free. */
  const reserve = (request: FastifyRequest, reply: FastifyReply, length: number): boolean => {
    const { waits } = request.routeOptions.config;
    const beside = waits ? WAITING_BYTES : 0;
    // A body is read in pieces that are then joined, which takes twice its length. Charge half of the memory at most, so that one
    // request never needs all of it.
    const reading = Math.min(2 * length + beside, bytes / 2);
    const isUnknown = request.headers['transfer-encoding'] !== undefined;
    const unknown = isUnknown ? heldByUnknown.take(reading) : () => {};
    let release = unknown && held.take(reading);
    if (!unknown || !release) {
      unknown?.();
      return false;
    }
    let isOver = false;
    request.bodyRead = () => {
      if (isOver) return;
      unknown();
      release?.();
      release = held.take(Math.min(request.keptBytes + beside, reading));
    };
    whenOver(reply.raw, async () => {
      await request.work;
      isOver = true;
      unknown();
      release?.();
    });
    return true;
  };

  app.addHook('onRequest', (request, reply, done) => {
    const { withoutKey, waits, refused } = request.routeOptions.config;
    if (withoutKey) return done();
    if (isFull()) {
      lastShedAt = performance.now();
      return refuse(reply);
    }
    const length = lengthOf(request.headers, request.routeOptions.bodyLimit);
    if ((waits || length > LONG_BODY) && !reserve(request, reply, length)) {
      refused?.(request);
      // This stops the heartbeat, so that users whose pings are refused do not count as idle.
      if (!waits) lastShedAt = performance.now();
      return refuse(reply);
    }
    // A body without a stated length is charged for memory only, not for weight.
    const weight = request.headers['transfer-encoding'] ? 1 : Math.min(HEAVIEST_REQUEST, 1 + Math.floor(length / BYTES_PER_WEIGHT));
    lastTakenAt = performance.now();
    taken += weight;
    if (waits) waiting += weight;
    whenOver(reply.raw, () => {
      taken -= weight;
      if (waits) waiting -= weight;
    });
    return done();
  });
  app.addHook('preValidation', (request, _, done) => {
    request.bodyRead();
    done();
  });
}

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
     * Waits for others than Redis, for as long as they take: it says nothing of how busy this process is, and is bounded by
     * the memory that it holds meanwhile.
     */
    readonly waits?: true;
    /** Called in place of the handler for a request that finds no memory: its user is there all the same. */
    readonly refused?: (request: FastifyRequest) => void;
  }
  interface FastifyInstance {
    /** Whether calls are refused for overload, and none was taken for 5 s. */
    isStuck(): boolean;
    /** Whether calls are being refused for overload: one was within the last 2 s, or the next would be. */
    isShedding(): boolean;
  }
  interface FastifyRequest {
    /** How many bytes of the body are kept; what was reserved for reading it is given back. */
    keptBytes: number;
    /** Work that goes on, and holds what it holds, though the caller has gone. It must not reject. */
    work: Promise<unknown> | null;
    /** Called once the body is read. */
    bodyRead: () => void;
  }
}

/**
 * Requests that wait for this process and Redis alone. They take turns: the last of them waits for all before it, and
 * the time-out of a Redis command (800 ms) must not strike, or all of that work would be for nothing. Measured: 1,000
 * are answered within 300 ms on two cores shared with Redis and the callers.
 */
const MOST_IN_FLIGHT = 1_000;

/** A body weighs as one more request for each so many bytes: a batch makes as much work as many a request. */
const BYTES_OF_ONE = 1_024;
/** However long it is said to be: one slow upload must not keep all others out. */
const HEAVIEST = 100;

/** A body longer than this, in bytes, must find memory free; shorter ones are bounded by how many are in flight. */
const LONG_BODY = BYTES_OF_ONE * HEAVIEST;
/** What a request that waits holds beside its body, in bytes: sockets, buffers and timers. */
const WAITING_BYTES = 65_536;

/** The share of its memory that a process gives to long bodies and to requests that wait; the rest is for the heap and for parsing. */
const MEMORY_SHARE = 1 / 6;

/** How many bytes this process may hold for its callers: by its container's memory, and by the heap that it is given. */
function bytesToHold(): number {
  const memory = process.constrainedMemory() || totalmem();
  // Bodies are outside of the heap, but a heap that was given a bound says how small the process is meant to be.
  return MEMORY_SHARE * Math.min(memory, totalmem(), 2 * getHeapStatistics().heap_size_limit);
}

/** The length of a request's body in bytes; where it does not say, the longest that is taken. */
function lengthOf({ 'content-length': length = '0', 'transfer-encoding': chunked }: IncomingHttpHeaders, longest: number): number {
  return chunked === undefined ? Math.min(Number(length), longest) : longest;
}

/**
 * Mean delay of the event loop over a sample, in ms: the net under the count, for requests that are few and heavy.
 * Utilisation is no measure: a loop that is busy all the time and answers in 20 ms is as it should be.
 */
const LONGEST_DELAY_MS = 500;
const SAMPLE_MS = 1_000;

/** Of the heap that Node allows itself, which follows from the container's memory; beyond, the collector only thrashes. */
const HEAP_SHARE = 0.8;

/**
 * As many are taken whatever delay and heap are said to be: after a pause (its start, a SIGSTOP, a machine that slept)
 * a process that has nothing in hand must not refuse its first callers.
 */
const ALWAYS_TAKEN = 50;

/**
 * How long a refusal is kept back, in ms. A caller who tries again at once would otherwise take the whole process:
 * measured with 4,000 such connections, pings taken fall from 5,700 a second to 300, each after seconds, because libuv
 * goes on reading sockets while more than 1,024 have something to say, and lets no timer and no answer in between.
 */
const PAUSE_MS = 500;

/** Refusals kept back at once, about 10 KB each; the others go out at once. Only pipelining gets a process there. */
const MOST_PAUSED = 10_000;

/**
 * After so long without a call that was taken a process that is full is stuck, in ms. One that is full for a moment, or takes
 * some and refuses others, is not: a balancer that left it alone would send its load to the others, and fill those as well.
 */
const STUCK_MS = 5_000;

/** For how long a refused call counts as shedding, in ms: by then its caller should have tried again. */
const SHEDDING_MS = 2_000;

/** Refuses what is too much of those that have a key, before body and all else have cost anything. */
export async function shedOverload(app: FastifyInstance, bytes = bytesToHold()): Promise<void> {
  /** Weights of all that is being answered, and of what waits for others among them. */
  let taken = 0;
  let waiting = 0;
  let lastShedAt = Number.NEGATIVE_INFINITY;
  let lastTakenAt = performance.now();
  const paused = new Places(MOST_PAUSED);
  const held = new Places(bytes);
  /** A body that does not say its length is charged for the longest, and such bodies have half of the memory. */
  const heldByUnknown = new Places(bytes / 2);

  await app.register(underPressure, {
    sampleInterval: SAMPLE_MS,
    maxEventLoopDelay: LONGEST_DELAY_MS,
    maxHeapUsedBytes: HEAP_SHARE * getHeapStatistics().heap_size_limit,
    // It only measures: the hook below acts on its figures and on the count alike.
    pressureHandler: () => {},
  });
  const isFull = () => taken - waiting >= MOST_IN_FLIGHT || (taken >= ALWAYS_TAKEN && app.isUnderPressure());
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
    }, PAUSE_MS);
  };

  /** Reserves the memory that a request needs until it is over; false where there is none. */
  const reserve = (request: FastifyRequest, reply: FastifyReply, length: number): boolean => {
    const { waits } = request.routeOptions.config;
    const beside = waits ? WAITING_BYTES : 0;
    // It is read in pieces, which are joined. Where that is more than half of the memory, half has to do: it must not need all.
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
      // Pings that are refused must not count as their users' silence.
      if (!waits) lastShedAt = performance.now();
      return refuse(reply);
    }
    // A body that does not state its length is charged for its memory alone.
    const weight = request.headers['transfer-encoding'] ? 1 : Math.min(HEAVIEST, 1 + Math.floor(length / BYTES_OF_ONE));
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

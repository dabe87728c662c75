import type { IncomingHttpHeaders } from 'node:http';
import { getHeapStatistics } from 'node:v8';
import underPressure from '@fastify/under-pressure';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { overloaded } from './problems.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Never shed: who watches the process must get through. */
    readonly probe?: true;
    /** Waits for others than Redis, for as long as they take: says nothing of how busy this process is. */
    readonly waits?: true;
  }
  interface FastifyInstance {
    /** Whether calls are being refused for overload: one was within the last second, or the next would be. */
    isShedding(): boolean;
  }
}

/**
 * Requests that wait for this process and Redis alone. They take turns: the last of them waits for all before it, and
 * the time-out of a Redis command (800 ms) must not strike, or all of that work would be for nothing. Measured: 1,000
 * are answered within 300 ms on two cores shared with Redis and the callers.
 */
const MOST_IN_FLIGHT = 1_000;

/**
 * A body weighs as one more request for each so many bytes: a batch of 1,000 events makes as much work as many a
 * request, and 1,000 bodies of 1 MB would not fit into the heap.
 */
const BYTES_OF_ONE = 1_024;
/** However long it is said to be: one slow upload must not keep all others out. */
const HEAVIEST = 100;

function weightOf({ 'content-length': length = '0', 'transfer-encoding': chunked }: IncomingHttpHeaders): number {
  // How long it will be nobody knows.
  if (chunked !== undefined) return HEAVIEST;
  return Math.min(HEAVIEST, 1 + Math.floor(Number(length) / BYTES_OF_ONE));
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

/** For how long a refused call counts as shedding, in ms: by then its caller should have tried again. */
const SHEDDING_MS = 2_000;

/** Refuses what is too much, before key, body and all else have cost anything: its hook must be the first. */
export async function shedOverload(app: FastifyInstance): Promise<void> {
  /** Weights of all that is being answered, and of what waits for others among them. */
  let taken = 0;
  let waiting = 0;
  let paused = 0;
  let lastShedAt = Number.NEGATIVE_INFINITY;

  await app.register(underPressure, {
    sampleInterval: SAMPLE_MS,
    maxEventLoopDelay: LONGEST_DELAY_MS,
    maxHeapUsedBytes: HEAP_SHARE * getHeapStatistics().heap_size_limit,
    // It only measures: the hook below acts on its figures and on the count alike.
    pressureHandler: () => {},
  });
  const full = () => taken - waiting >= MOST_IN_FLIGHT || (taken >= ALWAYS_TAKEN && app.isUnderPressure());
  app.decorate('isShedding', () => full() || performance.now() - lastShedAt < SHEDDING_MS);

  const refuse = (reply: FastifyReply) => {
    lastShedAt = performance.now();
    if (paused >= MOST_PAUSED) return void reply.send(overloaded(reply));
    paused += 1;
    setTimeout(() => {
      paused -= 1;
      reply.send(overloaded(reply));
    }, PAUSE_MS);
  };

  app.addHook('onRequest', (request, reply, done) => {
    const { probe, waits } = request.routeOptions.config;
    if (probe) return done();
    if (full()) return refuse(reply);
    const weight = weightOf(request.headers);
    taken += weight;
    if (waits) waiting += weight;
    // Whether it was answered, or its caller has gone.
    reply.raw.once('close', () => {
      taken -= weight;
      if (waits) waiting -= weight;
    });
    return done();
  });
}

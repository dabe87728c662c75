import { Readable } from 'node:stream';
import { ProblemError } from '@sandman/contracts';
import { InvalidInput, type LiveReading, LONGEST_GRACE_MS, LONGEST_KEEP_MS, parseDuration, STATUSES, UUID } from '@sandman/core';
import type { SessionService } from '@sandman/lifecycle';
import { Places, shared, whenOver } from '@sandman/runtime';
import type { RedisPodSamples } from '@sandman/store';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type OverviewSources, overviewOf } from './overview.ts';
import { pageStream } from './page-stream.ts';
import { type SessionQuery, sessionDetails, sessionPage, shownSession } from './sessions.ts';

/** Open live streams at the same time, per process, and of one login. */
const MOST_STREAMS = 100;
const MOST_STREAMS_EACH = 30;
/** After this long without data sent over it, the connection of a stream is closed, in ms. */
const UNREAD_MS = 30_000;
/** How old the overview of the fleet may be, in ms: all streams of the process share one. */
const OVERVIEW_MS = 900;
/** The most points of a chart; a screen shows no more. */
const MOST_POINTS = 360;
const LONGEST_FIND = 255;

export interface RouteSources extends OverviewSources {
  readonly service: SessionService;
  readonly podSamples: RedisPodSamples;
}

type Query = Readonly<Record<string, unknown>>;

function textParameter(query: Query, field: string): string {
  const value = query[field] ?? '';
  // Counts characters as the API does for a user id.
  if (typeof value !== 'string' || [...value].length > LONGEST_FIND)
    throw new InvalidInput(field, `must be at most ${LONGEST_FIND} characters`);
  return value;
}

function parseUuid(given: string, field: string): string {
  if (!UUID.test(given)) throw new InvalidInput(field, 'must be a session’s uuid');
  return given;
}

function parseStatusFilter(query: Query): SessionQuery['status'] {
  const given = textParameter(query, 'status');
  const known = [...STATUSES, 'failing'] as const;
  const status = known.find((one) => one === given);
  if (given !== '' && !status) throw new InvalidInput('status', `must be one of ${known.join(', ')}`);
  return status;
}

interface DeleteOptions {
  /** ms; 0: delete now. */
  readonly grace: number;
  readonly force: boolean;
}

/** @throws InvalidInput naming the field, also where it is unknown: a misspelled `grace` would delete at once */
function parseDelete({ grace, force, ...others }: Query): DeleteOptions {
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new InvalidInput(unknown, 'is not part of a delete');
  if (force !== undefined && force !== 'true' && force !== 'false') throw new InvalidInput('force', 'must be true or false');
  return { grace: grace === undefined ? 0 : parseDuration(grace, 'grace', LONGEST_GRACE_MS), force: force === 'true' };
}

/** Serves the page's live stream, the points of its charts, and the actions of its buttons. */
export function serveRoutes(app: FastifyInstance, sources: RouteSources): void {
  const { store, service, podSamples } = sources;
  const overview = shared(OVERVIEW_MS, () => overviewOf(sources));

  const streams = new Places(MOST_STREAMS);
  const streamsOf = new Map<string, Places>();
  const closing = new AbortController();
  app.addHook('preClose', async () => closing.abort());
  app.get<{ Querystring: Query }>('/api/live', (request, reply) => {
    const { query, identity } = request;
    const looked = { find: textParameter(query, 'find'), status: parseStatusFilter(query), cursor: textParameter(query, 'cursor') || null };
    const opened = textParameter(query, 'session');
    if (opened !== '') parseUuid(opened, 'session');
    const { user, until } = identity!;
    const own = streamsOf.get(user) ?? new Places(MOST_STREAMS_EACH);
    streamsOf.set(user, own);
    const releases = [own.take(), streams.take()];
    const release = () => {
      for (const one of releases) one?.();
    };
    if (releases.includes(null)) {
      release();
      throw new ProblemError('rate-limited', 'Too many pages are open: close one');
    }
    const left = new AbortController();
    whenOver(reply.raw, () => {
      release();
      left.abort();
    });
    // Node closes the connection when this time passes without data sent over it.
    request.raw.socket.setTimeout?.(UNREAD_MS);
    const picture = {
      overview: async () => ({ ...(await overview()), identity }),
      page: () => sessionPage(store, looked),
      ...(opened === '' ? {} : { opened: () => sessionDetails(sources, opened) }),
    };
    const over = AbortSignal.timeout(Math.max(0, until - Date.now()));
    const failed = (err: unknown) => request.log.error({ err }, 'unexpected error');
    const stream = pageStream(picture, AbortSignal.any([left.signal, closing.signal, over]), failed);
    return reply
      .headers({ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no', connection: 'close' })
      .send(Readable.from(stream, { objectMode: false, highWaterMark: 16_384 }));
  });

  app.get<{ Querystring: Query }>('/api/trend', async ({ query }, reply) => {
    const items = await podSamples.since(parseDuration(query.span ?? '24h', 'span'), MOST_POINTS);
    return reply.header('cache-control', 'no-store').send({ items });
  });

  /** Answers a change made by hand, and logs the user who made it. */
  const byHand = async (request: FastifyRequest, reply: FastifyReply, action: string, done: Promise<LiveReading>, details = {}) => {
    const reading = await done;
    const { uuid } = reading.record;
    request.log.info(
      { session: uuid, action, cause: 'manual', by: request.identity?.user, ...details },
      'change requested on the dashboard',
    );
    return reply.code(202).send(shownSession(reading));
  };
  const at = '/api/sessions/:uuid';
  type Named = { Params: { uuid: string } };
  const name = ({ params }: { params: Named['Params'] }) => parseUuid(params.uuid, 'uuid');

  app.post<Named>(`${at}/sleep`, (request, reply) => byHand(request, reply, 'sleep', service.sleep(name(request))));
  app.post<Named>(`${at}/wake`, (request, reply) => byHand(request, reply, 'wake', service.wake(name(request))));
  app.delete<Named & { Querystring: Query }>(at, (request, reply) => {
    const options = parseDelete(request.query);
    return byHand(request, reply, 'delete', service.remove(name(request), options), options);
  });
  type Timed = Named & { Body: { for?: unknown } | null };
  app.post<Timed>(`${at}/hold`, (request, reply) =>
    byHand(request, reply, 'hold', service.hold(name(request), { for: parseDuration(request.body?.for, 'for') })),
  );
  app.delete<Named>(`${at}/hold`, (request, reply) => byHand(request, reply, 'end-hold', service.endHold(name(request))));
  app.post<Timed>(`${at}/keep`, (request, reply) =>
    byHand(request, reply, 'keep', service.keep(name(request), { for: parseDuration(request.body?.for, 'for', LONGEST_KEEP_MS) })),
  );
  app.delete<Named>(`${at}/keep`, (request, reply) => byHand(request, reply, 'end-keep', service.endKeep(name(request))));
}

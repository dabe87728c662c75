import { Readable } from 'node:stream';
import { sessionView } from '@sandman/contracts';
import { InvalidInput, type LiveReading, parseDuration, SandmanError, STATUSES, UUID } from '@sandman/core';
import type { SessionService } from '@sandman/lifecycle';
import { Places, shared, whenOver } from '@sandman/runtime';
import type { RedisTrend } from '@sandman/store';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { livePicture } from './live.ts';
import { type LookedFor, openedOf, pageOf } from './looking.ts';
import { type OverviewSources, overviewOf } from './overview.ts';

/** Open live streams at the same time, per process, and of one login. */
const MOST_STREAMS = 100;
const MOST_STREAMS_EACH = 30;
/** After this long without data sent over it, the connection of a stream is closed, in ms. */
const UNREAD_MS = 30_000;
/** How old the overview of the fleet may be, in ms: all streams of the process share one. */
const OVERVIEW_MS = 900;
/** The most points of a chart; a screen shows no more. */
const POINTS = 360;
const LONGEST_FIND = 255;

export interface RouteSources extends OverviewSources {
  readonly service: SessionService;
  readonly trend: RedisTrend;
}

type Query = Readonly<Record<string, unknown>>;

function text(query: Query, field: string): string {
  const value = query[field] ?? '';
  // Counts characters as the API does for a user id.
  if (typeof value !== 'string' || [...value].length > LONGEST_FIND)
    throw new InvalidInput(field, `must be at most ${LONGEST_FIND} characters`);
  return value;
}

function uuidOf(given: string, field: string): string {
  if (!UUID.test(given)) throw new InvalidInput(field, 'must be a session’s uuid');
  return given;
}

function statusOf(query: Query): LookedFor['status'] {
  const given = text(query, 'status');
  const known = [...STATUSES, 'failing'] as const;
  const status = known.find((one) => one === given);
  if (given !== '' && !status) throw new InvalidInput('status', `must be one of ${known.join(', ')}`);
  return status;
}

/** Serves the page's live stream, the points of its charts, and the actions of its buttons. */
export function serveRoutes(app: FastifyInstance, sources: RouteSources): void {
  const { store, service, trend } = sources;
  const overview = shared(OVERVIEW_MS, () => overviewOf(sources));

  const streams = new Places(MOST_STREAMS);
  const streamsOf = new Map<string, Places>();
  const closing = new AbortController();
  app.addHook('preClose', async () => closing.abort());
  app.get<{ Querystring: Query }>('/api/live', (request, reply) => {
    const { query, identity } = request;
    const looked = { find: text(query, 'find'), status: statusOf(query), cursor: text(query, 'cursor') || null };
    const opened = text(query, 'session');
    if (opened !== '') uuidOf(opened, 'session');
    const { user, until } = identity!;
    const own = streamsOf.get(user) ?? new Places(MOST_STREAMS_EACH);
    streamsOf.set(user, own);
    const releases = [own.take(), streams.take()];
    const release = () => {
      for (const one of releases) one?.();
    };
    if (releases.includes(null)) {
      release();
      throw new SandmanError('rate-limited', 'Too many pages are open: close one');
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
      page: () => pageOf(store, looked),
      ...(opened === '' ? {} : { opened: () => openedOf(sources, opened) }),
    };
    const over = AbortSignal.timeout(Math.max(0, until - Date.now()));
    const failed = (err: unknown) => request.log.error({ err }, 'unexpected error');
    const stream = livePicture(picture, AbortSignal.any([left.signal, closing.signal, over]), failed);
    return reply
      .headers({ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no', connection: 'close' })
      .send(Readable.from(stream, { objectMode: false, highWaterMark: 16_384 }));
  });

  app.get<{ Querystring: Query }>('/api/trend', async ({ query }, reply) => {
    const items = await trend.since(parseDuration(query.span ?? '24h', 'span'), POINTS);
    return reply.header('cache-control', 'no-store').send({ items });
  });

  /** Answers a change made by hand, and logs the user who made it. */
  const byHand = async (request: FastifyRequest, reply: FastifyReply, action: string, done: Promise<LiveReading>) => {
    const { record, now } = await done;
    request.log.info({ session: record.uuid, action, cause: 'manual', by: request.identity?.user }, 'change requested on the dashboard');
    return reply.code(202).send(sessionView(record, now));
  };
  const at = '/api/sessions/:uuid';
  type Named = { Params: { uuid: string } };
  const name = ({ params }: { params: Named['Params'] }) => uuidOf(params.uuid, 'uuid');

  app.post<Named>(`${at}/sleep`, (request, reply) => byHand(request, reply, 'sleep', service.sleep(name(request))));
  app.post<Named>(`${at}/wake`, (request, reply) => byHand(request, reply, 'wake', service.wake(name(request))));
  app.delete<Named>(at, (request, reply) => byHand(request, reply, 'delete', service.remove(name(request))));
  app.post<Named & { Body: { for?: unknown } | null }>(`${at}/hold`, (request, reply) =>
    byHand(request, reply, 'hold', service.hold(name(request), { for: parseDuration(request.body?.for, 'for') })),
  );
  app.delete<Named>(`${at}/hold`, (request, reply) => byHand(request, reply, 'end-hold', service.endHold(name(request))));
}

import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { HistoryAnswer, ProblemSchema, SavingsSchema, savingsView, UuidParams } from '@sandman/contracts';
import { Places, whenOver } from '@sandman/runtime';
import type { ApiDeps } from '../deps.ts';
import { eventStream } from '../event-stream.ts';
import { overloaded } from '../problems.ts';

/** Open streams at the same time. Each reads new events five times per second. */
const MOST_STREAMS = 200;

/** Serves a session's history, the savings, and the stream of all changes. */
export const journalRoutes: FastifyPluginAsyncTypebox<ApiDeps> = async (app, { env, service, journal, shadows }) => {
  const problems = { '4xx': ProblemSchema, '5xx': ProblemSchema };

  app.get(
    '/sessions/:uuid/history',
    { schema: { params: UuidParams, response: { 200: HistoryAnswer, ...problems } } },
    async ({ params }) => {
      await service.get(params.uuid);
      const changes = await journal.history(params.uuid);
      return { items: changes.map(({ at, from, ...rest }) => ({ at: new Date(at).toISOString(), from: from || null, ...rest })) };
    },
  );

  app.get('/savings', { schema: { response: { 200: SavingsSchema, ...problems } } }, async () => {
    const [usage, tried] = await Promise.all([journal.usage(), shadows.read()]);
    return savingsView(usage, env.POD_PRICE_PER_HOUR, tried);
  });

  const streams = new Places(MOST_STREAMS);
  const closing = new AbortController();
  app.addHook('preClose', async () => closing.abort());
  app.get(
    '/events',
    {
      schema: {
        description:
          'Every change of status as it happens: `event: status` with `{uuid, userId, at, from, to, cause}`; from now, or from `Last-Event-ID` on.',
        produces: ['text/event-stream'],
      },
      config: { waits: true },
    },
    async (request, reply) => {
      const last = request.headers['last-event-id'];
      const from = typeof last === 'string' && last !== '' ? journal.decodePosition(last, 'last-event-id') : null;
      const release = streams.take();
      if (!release) return reply.send(overloaded(reply));
      const left = new AbortController();
      whenOver(reply.raw, () => {
        release();
        left.abort();
      });
      // Read here, so that an unreachable Redis gives an error and not an empty stream.
      const position = from ?? (await journal.end());
      const text = eventStream(journal, position, AbortSignal.any([left.signal, closing.signal]));
      return reply
        .headers({ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no', connection: 'close' })
        .send(Readable.from(text, { objectMode: false, highWaterMark: 16_384 }));
    },
  );
};

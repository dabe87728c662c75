import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import {
  ActivityBody,
  BatchAnswer,
  BatchBody,
  ItemsAnswer,
  LogoutBody,
  ProblemSchema,
  SessionSchema,
  sessionView,
  UserParams,
  UuidParams,
} from '@sandman/contracts';
import type { LiveReading } from '@sandman/core';
import type { FastifyReply } from 'fastify';
import { readBatch } from '../batch.ts';
import type { ApiDeps } from '../deps.ts';
import { parseAt, parseGrace } from '../inputs.ts';
import { signalCounts } from '../signal-counts.ts';

/** One shared object, because Fastify compiles a serializer for each schema object it gets. */
const itemSchema = { ...SessionSchema };

/** Serves what chat services send besides messages: activity and logout. */
export const signalRoutes: FastifyPluginAsyncTypebox<ApiDeps> = async (app, deps) => {
  const { service, metrics } = deps;
  const problems = { '4xx': ProblemSchema, '5xx': ProblemSchema };
  const view = ({ record, now }: LiveReading) => sessionView(record, now);

  /** Serializes one item of an answer. There may be thousands; serialized together they would block the process. */
  const written = (reply: FastifyReply, reading: LiveReading): string => reply.serializeInput(view(reading), itemSchema);
  const sendItems = (reply: FastifyReply, items: readonly string[]) =>
    reply
      .code(202)
      .type('application/json; charset=utf-8')
      .serializer((text: string) => text)
      .send(`{"items":[${items.join(',')}]}`);

  const { counted, countTaken, countRefused } = signalCounts(metrics);

  app.post(
    '/sessions/:uuid/activity',
    { schema: { params: UuidParams, body: ActivityBody, response: { 202: SessionSchema, ...problems } } },
    async ({ params, body: { at, kind = 'user' } }, reply) =>
      reply.code(202).send(view(await counted(kind, service.activity.record(params.uuid, kind, parseAt(at))))),
  );

  app.post(
    '/users/:userId/activity',
    { schema: { params: UserParams, body: ActivityBody, response: { 202: ItemsAnswer, ...problems } } },
    async ({ params, body: { at, kind = 'user' } }, reply) => {
      const items = await service.activity.recordOfUser(params.userId, kind, parseAt(at), (taken) => {
        countTaken(kind, taken);
        return written(reply, taken);
      });
      return sendItems(reply, items);
    },
  );

  app.post(
    '/users/:userId/logout',
    { schema: { params: UserParams, body: LogoutBody, response: { 202: ItemsAnswer, ...problems } } },
    async ({ params, body: { grace } }, reply) =>
      sendItems(reply, await service.logout(params.userId, parseGrace(grace), (loggedOut) => written(reply, loggedOut))),
  );

  app.post('/activity', { schema: { body: BatchBody, response: { 202: BatchAnswer, ...problems } } }, async ({ body }, reply) => {
    const { signals, events } = readBatch(body.events);
    const codes = signals.length > 0 ? await service.activity.recordAll(signals, countTaken) : [];
    for (const [i, { kind }] of signals.entries()) countRefused(kind, codes[i]!);
    const results = events.map((event) => (typeof event === 'number' ? codes[event]! : event));
    const rejected = results.flatMap((code, index) => (code === null ? [] : [{ index, code }]));
    return reply.code(202).send({ accepted: results.length - rejected.length, rejected });
  });
};

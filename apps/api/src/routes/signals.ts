import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import {
  ActivityBody,
  BatchAnswer,
  BatchBody,
  EventSchema,
  ItemsAnswer,
  ProblemSchema,
  SessionSchema,
  sessionView,
  UserParams,
  UuidParams,
} from '@sandman/contracts';
import { InvalidInput, type LiveReading } from '@sandman/core';
import { Ajv } from 'ajv';
import type { Static } from 'typebox';
import type { ApiDeps } from '../deps.ts';
import { parseAt } from '../inputs.ts';
import { rejection } from '../problems.ts';
import { countSignals } from '../signal-counts.ts';

type Event = Static<typeof EventSchema>;

/** What chat services send beside messages: activity and logout. */
export const signalRoutes: FastifyPluginAsyncTypebox<ApiDeps> = async (app, deps) => {
  const { service, metrics } = deps;
  const problems = { '4xx': ProblemSchema, '5xx': ProblemSchema };
  const isEvent = new Ajv().compile<Event>(EventSchema);
  const view = ({ record, now }: LiveReading) => sessionView(record, now);

  const counted = countSignals(metrics);

  app.post(
    '/sessions/:uuid/activity',
    { schema: { params: UuidParams, body: ActivityBody, response: { 202: SessionSchema, ...problems } } },
    async ({ params, body: { at, kind = 'user' } }, reply) =>
      reply.code(202).send(view(await counted(kind, service.activity(params.uuid, kind, parseAt(at))))),
  );

  app.post(
    '/users/:userId/activity',
    { schema: { params: UserParams, body: ActivityBody, response: { 202: ItemsAnswer, ...problems } } },
    async ({ params, body: { at, kind = 'user' } }, reply) => {
      const taken = await counted(kind, service.activityOfUser(params.userId, kind, parseAt(at)));
      return reply.code(202).send({ items: taken.map(view) });
    },
  );

  app.post(
    '/users/:userId/logout',
    { schema: { params: UserParams, response: { 202: ItemsAnswer, ...problems } } },
    async ({ params }, reply) => reply.code(202).send({ items: (await service.logout(params.userId)).map(view) }),
  );

  const take = async (given: unknown): Promise<void> => {
    if (!isEvent(given)) throw new InvalidInput('event', 'must be {uuid or userId, at?, kind?}');
    const { uuid, userId, at, kind = 'user' } = given;
    if ((uuid === undefined) === (userId === undefined)) throw new InvalidInput('event', 'must carry a uuid or a userId, and not both');
    if (uuid !== undefined) await counted(kind, service.activity(uuid, kind, parseAt(at)));
    else if (userId !== undefined) await counted(kind, service.activityOfUser(userId, kind, parseAt(at)));
  };

  app.post(
    '/activity',
    { schema: { body: BatchBody, response: { 202: BatchAnswer, ...problems } } },
    async ({ body: { events } }, reply) => {
      const codes = await Promise.all(
        events.map((given) =>
          take(given).then(
            () => null,
            (error) => {
              const code = rejection(error);
              // Not the event's fault: the whole call failed, and may be sent again.
              if (code === null) throw error;
              return code;
            },
          ),
        ),
      );
      const rejected = codes.flatMap((code, index) => (code === null ? [] : [{ index, code }]));
      return reply.code(202).send({ accepted: codes.length - rejected.length, rejected });
    },
  );
};

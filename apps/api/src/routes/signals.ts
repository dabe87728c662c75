import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import {
  ActivityBody,
  BatchAnswer,
  BatchBody,
  ChatBody,
  EventSchema,
  ItemsAnswer,
  ProblemSchema,
  SessionSchema,
  sessionView,
  UserParams,
  UuidParams,
} from '@sandman/contracts';
import { type ActivityKind, InvalidInput, type LiveReading } from '@sandman/core';
import type { Taken } from '@sandman/lifecycle';
import { Ajv } from 'ajv';
import type { Static } from 'typebox';
import { chat } from '../chat.ts';
import type { ApiDeps } from '../deps.ts';
import { parseAt, parseMessage } from '../inputs.ts';
import { rejection } from '../problems.ts';

type Event = Static<typeof EventSchema>;

/** What chat services send: activity, messages, logout. */
export const signalRoutes: FastifyPluginAsyncTypebox<ApiDeps> = async (app, deps) => {
  const { service, metrics } = deps;
  const problems = { '4xx': ProblemSchema, '5xx': ProblemSchema };
  const isEvent = new Ajv().compile<Event>(EventSchema);
  const view = ({ record, now }: LiveReading) => sessionView(record, now);

  /** Counts a signal by what became of it. */
  const counted = async <T extends Taken | Taken[]>(kind: ActivityKind, signal: Promise<T>): Promise<T> => {
    try {
      const taken = await signal;
      for (const { woke } of [taken].flat()) metrics.activity.inc({ kind, result: woke ? 'woke' : 'accepted' });
      return taken;
    } catch (error) {
      const code = rejection(error);
      if (code === 'session-not-found') metrics.activity.inc({ kind, result: 'not-found' });
      if (code === 'session-deleted') metrics.activity.inc({ kind, result: 'deleted' });
      throw error;
    }
  };

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

  // Fastify waits for its callers; a pod's answer is read to its end even when the caller has gone.
  const chats = new Set<Promise<void>>();
  app.addHook('onClose', async () => {
    await Promise.allSettled(chats);
  });
  app.post(
    '/sessions/:uuid/chat',
    { schema: { params: UuidParams, body: ChatBody }, config: { waits: true } },
    async ({ params, body }, reply) => {
      const message = parseMessage(body.message);
      // The message does not wait until the alarms have moved; the end of the chat does.
      const taken = await counted('user', service.activityAhead(params.uuid, 'user', null));
      const running = chat(deps, taken, message, reply).finally(() => taken.armed);
      chats.add(running);
      await running.finally(() => chats.delete(running));
      return reply;
    },
  );
};

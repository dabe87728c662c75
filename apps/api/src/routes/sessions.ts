import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import {
  AdoptBody,
  CreateBody,
  DeleteQuery,
  ListAnswer,
  ListQuery,
  PatchBody,
  PoliciesAnswer,
  ProblemError,
  ProblemSchema,
  SessionSchema,
  SpanBody,
  sessionView,
  UuidParams,
  WakeQuery,
} from '@sandman/contracts';
import { describePolicy, type LiveReading, SandmanError } from '@sandman/core';
import { whenOver } from '@sandman/runtime';
import type { ApiDeps } from '../deps.ts';
import { parseGrace, parseSpan, parseWait } from '../inputs.ts';
import { keepAwake } from '../keep-awake.ts';
import { recordRefused } from '../refused-activity.ts';

const view = ({ record, now }: LiveReading) => sessionView(record, now);

/** Serves the routes that create, adopt, list, read, change, put to sleep, wake, hold, keep and delete sessions. */
export const sessionRoutes: FastifyPluginAsyncTypebox<ApiDeps> = async (app, deps) => {
  const { service, sessionManager, policies, ready, metrics } = deps;
  const problems = { '4xx': ProblemSchema, '5xx': ProblemSchema };
  const waits = { waits: true } as const;
  const one = { params: UuidParams, response: { 200: SessionSchema, 202: SessionSchema, ...problems } };

  app.get('/policies', { schema: { response: { 200: PoliciesAnswer } } }, () => ({
    default: policies.current.default.name,
    items: policies.current.list().map(describePolicy),
  }));

  app.post(
    '/sessions',
    { schema: { body: CreateBody, response: { 201: SessionSchema, ...problems } }, config: waits },
    async (request, reply) => {
      const { userId, policy: asked } = request.body;
      const policy = policies.current.resolve(asked);
      // Create no pod whose session could not be written to Redis.
      if (!(await ready())) throw new ProblemError('not-ready', 'Redis cannot be reached');
      const key = request.headers['idempotency-key'];
      const pod = await sessionManager.create(userId, typeof key === 'string' ? key : undefined);
      try {
        return reply.code(201).send(view(await service.track(pod.uuid, { userId, workspaceUrl: pod.workspaceUrl, policy })));
      } catch (error) {
        // The uuid is already tracked for another user, so the pod is not deleted. Nor is one created with an idempotency key: an
        // earlier call with that key may have created it.
        if (error instanceof SandmanError) throw error;
        const undone = key === undefined ? await sessionManager.call('delete', pod.uuid, randomUUID()) : null;
        if (undone?.kind !== 'done' && undone?.kind !== 'gone') {
          metrics.leakedPods.inc();
          request.log.error({ session: pod.uuid }, 'a pod was created and could not be tracked');
        }
        throw error;
      }
    },
  );

  app.put(
    '/sessions/:uuid',
    { schema: { ...one, body: AdoptBody, response: { ...one.response, 201: SessionSchema } } },
    async (request, reply) => {
      const { userId, workspaceUrl, policy } = request.body;
      const { created, reading } = await service.adopt(request.params.uuid, {
        userId,
        ...(workspaceUrl === undefined ? {} : { workspaceUrl }),
        ...(policy === undefined ? {} : { policy: policies.current.resolve(policy) }),
      });
      return reply.code(created ? 201 : 200).send(view(reading));
    },
  );

  app.get('/sessions', { schema: { querystring: ListQuery, response: { 200: ListAnswer, ...problems } } }, async ({ query }) => {
    const { userId, status, limit = 100, cursor = null } = query;
    const page = await service.list({ userId, status }, limit, cursor);
    return { items: page.items.map(view), nextCursor: page.cursor };
  });

  app.get('/sessions/:uuid', { schema: one }, async ({ params }) => view(await service.get(params.uuid)));

  app.patch('/sessions/:uuid', { schema: { ...one, body: PatchBody } }, async ({ params, body }) =>
    view(await service.setPolicy(params.uuid, policies.current.resolve(body.policy))),
  );

  app.delete(
    '/sessions/:uuid',
    { schema: { ...one, querystring: DeleteQuery } },
    async ({ params, query: { grace, force = false } }, reply) =>
      reply.code(202).send(view(await service.remove(params.uuid, { grace: parseGrace(grace), force }))),
  );

  app.post('/sessions/:uuid/sleep', { schema: one }, async ({ params }, reply) =>
    reply.code(202).send(view(await service.sleep(params.uuid))),
  );

  app.post(
    '/sessions/:uuid/wake',
    { schema: { ...one, querystring: WakeQuery }, config: { ...waits, refused: recordRefused(deps) } },
    async ({ params, query }, reply) => {
      const wait = query.wait === undefined ? 0 : parseWait(query.wait);
      const reading = await service.wake(params.uuid);
      if (wait === 0) return reply.code(202).send(view(reading));
      // A caller that waits for the wake counts as active.
      const letGo = keepAwake(service, reading, { connected: () => !reply.raw.destroyed });
      const left = new AbortController();
      whenOver(reply.raw, () => {
        letGo();
        left.abort();
      });
      try {
        const awake = await service.untilAwake(params.uuid, { timeout: wait, signal: left.signal }, reading.now);
        return awake ? view(awake) : reply.code(202).send(view(await service.get(params.uuid)));
      } finally {
        letGo();
      }
    },
  );

  app.post('/sessions/:uuid/hold', { schema: { ...one, body: SpanBody } }, async ({ params, body }) =>
    view(await service.hold(params.uuid, parseSpan(body))),
  );

  app.delete('/sessions/:uuid/hold', { schema: one }, async ({ params }) => view(await service.endHold(params.uuid)));

  app.post('/sessions/:uuid/keep', { schema: { ...one, body: SpanBody } }, async ({ params, body }) =>
    view(await service.keep(params.uuid, parseSpan(body))),
  );

  app.delete('/sessions/:uuid/keep', { schema: one }, async ({ params }) => view(await service.endKeep(params.uuid)));
};

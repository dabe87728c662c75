import { setTimeout as pause } from 'node:timers/promises';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { CHAT_SCHEMA, type Message, streamChat } from './chat.ts';
import { controlRoutes } from './control.ts';
import { Faults } from './faults.ts';
import { Pods, type SimulatedCallName } from './pods.ts';

export interface SimOptions {
  /** The key that every call except `/healthz` must carry. */
  readonly apiKey: string;
}

const CREATE_SCHEMA = {
  type: 'object',
  required: ['user_id'],
  properties: { user_id: { type: 'string', minLength: 1 } },
};

type Params = { uuid: string };

/** Builds a simulated session-manager. It keeps pods in memory, logs every call, and fails on demand. */
export function buildSim({ apiKey }: SimOptions): FastifyInstance {
  const app = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false } }, forceCloseConnections: true });
  const pods = new Pods();
  const faults = new Faults();

  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.url !== '/healthz' && request.headers['x-api-key'] !== apiKey) {
      return reply.code(401).send({ error: 'Wrong API key' });
    }
  });

  /** Logs a call, applies the fault that matches it, acts, and answers. */
  const serve = async (call: SimulatedCallName, request: FastifyRequest, reply: FastifyReply, act: () => unknown) => {
    const uuid = (request.params as Partial<Params>).uuid ?? '';
    const idempotencyKey = String(request.headers['idempotency-key'] ?? '');
    const traceparent = String(request.headers.traceparent ?? '');
    const entry = { at: Date.now(), call, uuid, idempotencyKey, traceparent, status: 0, doneAt: 0, effectAt: 0, lostAt: 0 };
    pods.record(entry);
    const fault = faults.match(call, uuid);
    reply.raw.once('finish', () => Object.assign(entry, { status: reply.statusCode, doneAt: Date.now() }));
    reply.raw.once('close', () => {
      if (entry.doneAt === 0) entry.lostAt = Date.now();
    });
    const take = () => {
      const answer = act();
      // A late call may find its pod gone, and then has no effect.
      if ((answer as { ok?: boolean }).ok !== false) entry.effectAt = Date.now();
      if (call === 'create') entry.uuid = (answer as Params).uuid;
      return answer;
    };
    const cut = () => {
      reply.hijack();
      request.raw.socket.destroy();
      return reply;
    };
    if (fault.delayMs) await pause(fault.delayMs);
    // The rest of the fault decides what the caller of a late call gets, if anything.
    if (fault.lateMs !== undefined) setTimeout(take, fault.lateMs).unref();
    if (fault.hang) return reply.hijack();
    if (fault.cut === 'before' || (fault.cut && fault.lateMs !== undefined)) return cut();
    if (fault.retryAfter !== undefined) reply.header('retry-after', fault.retryAfter);
    if (fault.status !== undefined) return reply.code(fault.status).send({ error: 'Simulated fault' });
    if (fault.lateMs !== undefined) return reply.code(504).send({ error: 'Simulated gateway time-out' });
    if (call !== 'create' && !pods.get(uuid)) return reply.code(404).send({ error: 'Session not found' });
    const answer = take();
    if (fault.afterMs) await pause(fault.afterMs);
    return fault.cut === 'after' ? cut() : reply.send(answer);
  };

  app.post<{ Body: { user_id: string } }>('/session/create', { schema: { body: CREATE_SCHEMA } }, (request, reply) =>
    serve('create', request, reply, () => {
      const { uuid, workspaceUrl } = pods.add(request.body.user_id);
      return { uuid, workspace_url: workspaceUrl };
    }),
  );
  for (const call of ['sleep', 'wake'] as const) {
    app.post<{ Params: Params }>(`/session/:uuid/${call}`, (request, reply) =>
      serve(call, request, reply, () => ({ ok: pods.apply(call, request.params.uuid) })),
    );
  }
  app.delete<{ Params: Params }>('/session/:uuid', (request, reply) =>
    serve('delete', request, reply, () => ({ ok: pods.apply('delete', request.params.uuid) })),
  );
  app.get<{ Params: Params }>('/session/:uuid/status', (request, reply) =>
    serve('status', request, reply, () => ({ uuid: request.params.uuid, replicas: pods.get(request.params.uuid)?.replicas ?? 0 })),
  );
  app.post<{ Params: Params; Body: { message: Message } }>('/session/:uuid/chat', { schema: { body: CHAT_SCHEMA } }, (request, reply) =>
    serve('chat', request, reply, () => {
      if (pods.get(request.params.uuid)?.replicas === 0) {
        reply.code(503);
        return { error: 'The pod is asleep' };
      }
      return streamChat(request.body.message, reply);
    }),
  );

  app.get('/healthz', () => ({ status: 'ok' }));
  controlRoutes(app, pods, faults);
  return app;
}

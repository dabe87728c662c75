import { setTimeout as pause } from 'node:timers/promises';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { streamChat } from './chat.ts';
import { type FaultRule, Faults } from './faults.ts';
import { type Call, Pods } from './pods.ts';

export interface SimOptions {
  /** The key that every call must carry. */
  readonly apiKey: string;
}

const FAULT_SCHEMA = {
  type: 'object',
  required: ['fault'],
  additionalProperties: false,
  properties: {
    call: { enum: ['create', 'chat', 'sleep', 'wake', 'delete', 'status'] },
    uuid: { type: 'string', minLength: 1 },
    times: { type: 'integer', minimum: 1 },
    fault: {
      type: 'object',
      additionalProperties: false,
      minProperties: 1,
      properties: {
        status: { type: 'integer', minimum: 200, maximum: 599 },
        retryAfter: { type: 'string' },
        delayMs: { type: 'integer', minimum: 0, maximum: 600_000 },
        afterMs: { type: 'integer', minimum: 0, maximum: 600_000 },
        hang: { type: 'boolean' },
        cut: { enum: ['before', 'after'] },
        lateMs: { type: 'integer', minimum: 0, maximum: 600_000 },
      },
    },
  },
};

const POD_SCHEMA = {
  type: 'object',
  required: ['uuid'],
  additionalProperties: false,
  properties: { uuid: { type: 'string', minLength: 1 }, userId: { type: 'string' }, replicas: { type: 'integer', minimum: 0 } },
};

type Params = { uuid: string };

/** A session-manager that keeps its pods in memory, writes a journal, and fails on demand. */
export function buildSim({ apiKey }: SimOptions): FastifyInstance {
  const app = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false } }, forceCloseConnections: true });
  const pods = new Pods();
  const faults = new Faults();

  app.addHook('onRequest', async (request, reply) => {
    if (request.url !== '/healthz' && request.headers['x-api-key'] !== apiKey) return reply.code(401).send({ error: 'Wrong API key' });
  });

  /** Journals a call, lets the fault in force strike, acts, and answers. */
  const serve = async (call: Call, request: FastifyRequest, reply: FastifyReply, act: () => unknown) => {
    const uuid = (request.params as Partial<Params>).uuid ?? '';
    const entry = { at: Date.now(), call, uuid, idempotencyKey: String(request.headers['idempotency-key'] ?? ''), status: 0, doneAt: 0 };
    pods.journal.push(entry);
    const fault = faults.strike(call, uuid);
    reply.raw.once('finish', () => Object.assign(entry, { status: reply.statusCode, doneAt: Date.now() }));
    const cut = () => {
      reply.hijack();
      request.raw.socket.destroy();
      return reply;
    };
    if (fault.hang) return reply.hijack();
    if (fault.delayMs) await pause(fault.delayMs);
    if (fault.cut === 'before') return cut();
    if (fault.retryAfter !== undefined) reply.header('retry-after', fault.retryAfter);
    if (fault.lateMs !== undefined) {
      setTimeout(act, fault.lateMs).unref();
      return reply.code(504).send({ error: 'Simulated gateway time-out' });
    }
    if (fault.status !== undefined) return reply.code(fault.status).send({ error: 'Simulated fault' });
    if (call !== 'create' && !pods.get(uuid)) return reply.code(404).send({ error: 'Session not found' });
    const answer = act();
    if (call === 'create') Object.assign(entry, { uuid: (answer as { uuid: string }).uuid });
    if (fault.afterMs) await pause(fault.afterMs);
    return fault.cut === 'after' ? cut() : reply.send(answer);
  };

  app.post('/session/create', (request, reply) => {
    const userId = (request.body as { user_id?: unknown } | null)?.user_id;
    if (typeof userId !== 'string' || userId === '') return reply.code(400).send({ error: 'user_id is missing' });
    return serve('create', request, reply, () => {
      const { uuid, workspaceUrl } = pods.plant(userId);
      return { uuid, workspace_url: workspaceUrl };
    });
  });
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
  app.post<{ Params: Params; Body: { message?: unknown } | null }>('/session/:uuid/chat', (request, reply) =>
    serve('chat', request, reply, () => {
      if (pods.get(request.params.uuid)?.replicas === 0) {
        reply.code(503);
        return { error: 'The pod is asleep' };
      }
      return streamChat(request.body?.message, reply);
    }),
  );

  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/sim/journal', () => ({ items: pods.journal }));
  app.delete('/sim/journal', () => ({ removed: pods.journal.splice(0).length }));
  app.post<{ Body: { uuid: string; userId?: string; replicas?: number } }>(
    '/sim/pods',
    { schema: { body: POD_SCHEMA } },
    ({ body }, reply) => reply.code(201).send(pods.plant(body.userId ?? '', body.uuid, body.replicas)),
  );
  app.get('/sim/faults', () => ({ items: faults.list() }));
  app.post<{ Body: FaultRule }>('/sim/faults', { schema: { body: FAULT_SCHEMA } }, ({ body }, reply) =>
    reply.code(201).send({ id: faults.add(body) }),
  );
  app.delete('/sim/faults', () => {
    faults.remove();
    return { ok: true };
  });
  app.delete<{ Params: { id: string } }>('/sim/faults/:id', ({ params }) => {
    faults.remove(Number(params.id));
    return { ok: true };
  });
  return app;
}

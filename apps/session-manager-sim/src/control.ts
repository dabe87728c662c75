import type { FastifyInstance } from 'fastify';
import type { FaultRule, Faults } from './faults.ts';
import type { Pods } from './pods.ts';

const MS_SCHEMA = { type: 'integer', minimum: 0, maximum: 600_000 };
const UUID_SCHEMA = { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$' };

const FAULT_SCHEMA = {
  type: 'object',
  required: ['fault'],
  additionalProperties: false,
  properties: {
    call: { enum: ['create', 'chat', 'sleep', 'wake', 'delete', 'status'] },
    uuid: UUID_SCHEMA,
    times: { type: 'integer', minimum: 1 },
    every: { type: 'integer', minimum: 1 },
    fault: {
      type: 'object',
      additionalProperties: false,
      minProperties: 1,
      properties: {
        status: { type: 'integer', minimum: 200, maximum: 599 },
        retryAfter: { type: 'string', pattern: '^[ -~]*$' },
        delayMs: MS_SCHEMA,
        afterMs: MS_SCHEMA,
        hang: { type: 'boolean' },
        cut: { enum: ['before', 'after'] },
        lateMs: MS_SCHEMA,
      },
    },
  },
};

const POD_SCHEMA = {
  type: 'object',
  required: ['uuid'],
  additionalProperties: false,
  properties: { uuid: UUID_SCHEMA, userId: { type: 'string' }, replicas: { type: 'integer', minimum: 0 } },
};

/** Serves the routes with which tests control the simulation: read and clear the call log, list and add pods, set and remove faults. */
export function controlRoutes(app: FastifyInstance, pods: Pods, faults: Faults): void {
  app.get('/sim/journal', () => ({ items: pods.callLog }));
  app.delete('/sim/journal', () => ({ removed: pods.callLog.splice(0).length }));
  app.get('/sim/pods', () => ({ items: pods.list() }));
  app.post<{ Body: { uuid: string; userId?: string; replicas?: number } }>(
    '/sim/pods',
    { schema: { body: POD_SCHEMA } },
    ({ body }, reply) => reply.code(201).send(pods.add(body.userId ?? '', body.uuid, body.replicas)),
  );
  app.get('/sim/faults', () => ({ items: faults.list() }));
  app.post<{ Body: FaultRule }>('/sim/faults', { schema: { body: FAULT_SCHEMA } }, ({ body }, reply) =>
    reply.code(201).send({ id: faults.add(body) }),
  );
  app.delete('/sim/faults', () => {
    faults.clear();
    return { ok: true };
  });
  app.delete<{ Params: { id: string } }>('/sim/faults/:id', ({ params }, reply) =>
    faults.remove(Number(params.id)) ? { ok: true } : reply.code(404).send({ error: 'Fault not found' }),
  );
}

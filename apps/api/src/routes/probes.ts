import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { collectFleet } from '@sandman/runtime';
import type { FastifyInstance } from 'fastify';
import { Histogram, type Registry } from 'prom-client';
import type { ApiDeps } from '../deps.ts';

/** Times every request of `app`, by route and status. */
export function measure(app: Pick<FastifyInstance, 'addHook'>, registry: Registry): void {
  const seconds = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'How long requests took',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
  });
  app.addHook('onResponse', (request, reply, done) => {
    const labels = { method: request.method, route: request.routeOptions.url ?? 'none', status: reply.statusCode };
    seconds.observe(labels, reply.elapsedTime / 1_000);
    done();
  });
}

/** Liveness, readiness and metrics: open to whoever can reach the port. */
export const probes: FastifyPluginAsyncTypebox<ApiDeps> = async (app, { metrics, fleet }) => {
  const small = { schema: { hide: true }, config: { withoutKey: 'small' } } as const;
  const large = { schema: { hide: true }, config: { withoutKey: 'large' } } as const;
  app.get('/healthz', small, () => ({ status: 'ok' }));
  app.get('/readyz', small, async (_, reply) => {
    const up = await app.readiness.tell();
    return reply.code(up ? 200 : 503).send({ status: up ? 'ready' : 'not-ready' });
  });
  app.get('/metrics', large, async (_, reply) => {
    // While Redis is away the last figures stand.
    await collectFleet(metrics, fleet).catch(() => {});
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
};

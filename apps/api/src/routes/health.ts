import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { histogram, refreshFleet, scraper } from '@sandman/runtime';
import type { FastifyInstance, RouteOptions } from 'fastify';
import type { Registry } from 'prom-client';
import type { ApiDeps } from '../deps.ts';

/** Returns the statuses of a route's successful answers from its schema; 200 if the schema names none. */
function successes({ schema }: RouteOptions): string[] {
  const named = Object.keys((schema?.response as Record<string, unknown> | undefined) ?? {}).filter((status) => /^2\d\d$/.test(status));
  return named.length > 0 ? named : ['200'];
}

/**
 * Measures the duration of every request of `app` by route and status. Routes declared after this call have the series of their
 * successful answers from the start.
 */
export function measureRequests(app: Pick<FastifyInstance, 'addHook'>, registry: Registry): void {
  const seconds = histogram(registry, {
    name: 'http_request_duration_seconds',
    help: 'How long requests took',
    labels: { method: [], route: [], status: [] },
  });
  app.addHook('onRoute', (route) => {
    // Fastify adds a HEAD route to each GET; it gets no series in advance.
    for (const method of [route.method].flat().filter((one) => one !== 'HEAD')) {
      for (const status of successes(route)) seconds.zero({ method, route: route.url, status });
    }
  });
  app.addHook('onResponse', (request, reply, done) => {
    const labels = { method: request.method, route: request.routeOptions.url ?? 'none', status: reply.statusCode };
    seconds.observe(labels, reply.elapsedTime / 1_000);
    done();
  });
}

/** Serves liveness, readiness and metrics. They need no key. */
export const healthRoutes: FastifyPluginAsyncTypebox<ApiDeps> = async (app, { metrics, fleet }) => {
  const small = { schema: { hide: true }, config: { withoutKey: 'small' } } as const;
  const large = { schema: { hide: true }, config: { withoutKey: 'large' } } as const;
  const scrape = scraper(metrics.registry, [refreshFleet(metrics, fleet)]);
  app.get('/healthz', small, () => ({ status: 'ok' }));
  app.get('/readyz', small, async (_, reply) => {
    const up = await app.readiness.check();
    return reply.code(up ? 200 : 503).send({ status: up ? 'ready' : 'not-ready' });
  });
  app.get('/metrics', large, async (_, reply) => reply.type(metrics.registry.contentType).send(await scrape()));
};

import { FastifyOtelInstrumentation } from '@fastify/otel';
import { context } from '@opentelemetry/api';

export type RequestSpans = ReturnType<FastifyOtelInstrumentation['plugin']>;

/**
 * A span for each request of the Fastify instance it is registered with, and none for its hooks and handlers. The span
 * says which route it was, not which address: that may hold a user's name, or a key that somebody put there.
 */
export function traceRequests(): { readonly instrumentation: FastifyOtelInstrumentation; readonly plugin: RequestSpans } {
  const instrumentation = new FastifyOtelInstrumentation({
    instrumentHooks: false,
    instrumentHandler: false,
    // The log has them.
    recordExceptions: false,
    requestHook(span, { method, routeOptions: { url = 'none' } }) {
      span.updateName(`${method} ${url}`).setAttribute('url.path', url);
    },
  });
  const spans = instrumentation.plugin();
  const plugin: RequestSpans = (app, options, done) => {
    spans(app, options, () => {});
    // A body is read in its socket's context: from here on it is the request's again.
    app.addHook('preHandler', (request, _, next) => {
      const traced = request.opentelemetry();
      const { uuid } = request.params as { uuid?: string };
      // Checked against its schema by now.
      if (uuid !== undefined) traced.span?.setAttribute('sandman.session', uuid);
      context.with(traced.context ?? context.active(), next);
    });
    done();
  };
  // Fastify's mark of a plugin that acts on the instance itself, as `fastify-plugin` sets it.
  return { instrumentation, plugin: Object.assign(plugin, { [Symbol.for('skip-override')]: true }) };
}

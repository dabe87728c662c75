import { FastifyOtelInstrumentation } from '@fastify/otel';
import { annotate } from './annotate.ts';

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
    // By now it is known to be well-formed.
    app.addHook('preHandler', async ({ params }) => {
      const { uuid } = params as { uuid?: string };
      if (uuid !== undefined) annotate({ session: uuid });
    });
    done();
  };
  // Fastify's mark of a plugin that acts on the instance itself, as `fastify-plugin` sets it.
  return { instrumentation, plugin: Object.assign(plugin, { [Symbol.for('skip-override')]: true }) };
}

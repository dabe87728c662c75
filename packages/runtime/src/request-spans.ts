import { FastifyOtelInstrumentation } from '@fastify/otel';
import { annotate } from './annotate.ts';

export type RequestSpans = ReturnType<FastifyOtelInstrumentation['plugin']>;

/**
 * Makes a span for each request of the Fastify instance that registers the plugin, and none for hooks and handlers. The span
 * has the route, not the URL, which may contain a user's name, or a key that a caller put there by mistake.
 */
export function traceRequests(): { readonly instrumentation: FastifyOtelInstrumentation; readonly plugin: RequestSpans } {
  const instrumentation = new FastifyOtelInstrumentation({
    instrumentHooks: false,
    instrumentHandler: false,
    // The log has the exceptions.
    recordExceptions: false,
    requestHook(span, { method, routeOptions: { url = 'none' } }) {
      span.updateName(`${method} ${url}`).setAttribute('url.path', url);
    },
  });
  const spans = instrumentation.plugin();
  const plugin: RequestSpans = (app, options, done) => {
    spans(app, options, () => {});
    // The uuid has been validated before this hook.
    app.addHook('preHandler', async ({ params }) => {
      const { uuid } = params as { uuid?: string };
      if (uuid !== undefined) annotate({ session: uuid });
    });
    done();
  };
  // Marks a plugin that acts on the Fastify instance itself, as `fastify-plugin` does.
  return { instrumentation, plugin: Object.assign(plugin, { [Symbol.for('skip-override')]: true }) };
}

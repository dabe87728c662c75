import { createPing, type PingOptions } from './ping.ts';

/** The parts of a Fastify instance that the plugin uses. */
interface App {
  // biome-ignore lint/suspicious/noExplicitAny: what a request is, decorated as it may be, the app knows.
  addHook(name: 'onResponse', hook: (request: any, reply: { statusCode: number }, done: () => void) => void): unknown;
}

/**
 * Fastify plugin that reports each answered request as activity of its session. It runs after the answer, so it delays no
 * request.
 *
 * ```ts
 * await app.register(sandmanActivity, { client: sandman, session: (request) => request.user?.sessionUuid });
 * ```
 */
// biome-ignore lint/suspicious/noExplicitAny: as above.
export async function sandmanActivity(app: App, options: PingOptions<any>): Promise<void> {
  const ping = createPing(options);
  app.addHook('onResponse', (request, reply, answered) => {
    ping(request, reply.statusCode);
    answered();
  });
}

// The same marks as `fastify-plugin` sets: the hook applies to the context that registers it, not to a new inner one.
Object.assign(sandmanActivity, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'sandman-activity',
});

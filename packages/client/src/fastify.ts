import { type PingOptions, pinging } from './ping.ts';

/** As much of a Fastify instance as the plugin needs. */
interface App {
  // biome-ignore lint/suspicious/noExplicitAny: what a request is, decorated as it may be, the app knows.
  addHook(name: 'onResponse', hook: (request: any, reply: { statusCode: number }, done: () => void) => void): unknown;
}

/**
 * A Fastify plugin: each answered request is activity of its session. It runs after the answer, so nobody waits for it.
 *
 * ```ts
 * await app.register(sandmanActivity, { client: sandman, session: (request) => request.user?.sessionUuid });
 * ```
 */
// biome-ignore lint/suspicious/noExplicitAny: as above.
export async function sandmanActivity(app: App, options: PingOptions<any>): Promise<void> {
  const ping = pinging(options);
  app.addHook('onResponse', (request, reply, answered) => {
    ping(request, reply.statusCode);
    answered();
  });
}

// As `fastify-plugin` marks them: the hook is for where it is registered, and not for a context of its own.
Object.assign(sandmanActivity, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'sandman-activity',
});

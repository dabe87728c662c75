import { createPing, type PingOptions } from './ping.ts';

/** The parts of a response that the middleware uses. */
interface ExpressResponse {
  readonly statusCode: number;
  once(event: 'close', listener: () => void): unknown;
}

/**
 * Express middleware that reports each answered request as activity of its session. It pings after the answer, so it delays
 * no request.
 *
 * ```ts
 * app.use(sandmanActivity({ client: sandman, session: (request) => request.session?.uuid }));
 * ```
 */
// biome-ignore lint/suspicious/noExplicitAny: what a request is, extended as it may be, the app knows.
export function sandmanActivity<Request = any>(options: PingOptions<Request>) {
  const ping = createPing(options);
  return (request: Request, answer: ExpressResponse, next: () => void): void => {
    answer.once('close', () => ping(request, answer.statusCode));
    next();
  };
}

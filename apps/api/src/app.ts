import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { ProblemError, WebhookSchema } from '@sandman/contracts';
import { InvalidInput } from '@sandman/core';
import Fastify, { type FastifyBaseLogger, type FastifyError, LogController } from 'fastify';
import type { ApiDeps } from './deps.ts';
import { serveDocs } from './docs.ts';
import { addSecurityHeaders, DATA_HEADERS } from './headers.ts';
import { keyCheck } from './key-check.ts';
import { shedOverload } from './overload.ts';
import { answerError, answerUnreadable } from './problems.ts';
import { limitRate } from './rate-limit.ts';
import { Readiness } from './readiness.ts';
import { chatRoutes } from './routes/chat.ts';
import { healthRoutes, measureRequests } from './routes/health.ts';
import { journalRoutes } from './routes/journal.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { signalRoutes } from './routes/signals.ts';
import { compileSchemasWhenUsed } from './schema-compilers.ts';
import { boundUnauthenticated } from './unauthenticated.ts';

const BODY_LIMIT_BYTES = 1_048_576;
/** Length of the longest path parameter: a user id of 255 characters, each of up to 4 bytes, each byte written as `%XX`. */
const LONGEST_PARAM = 255 * 12;

/** How long a whole request may take to arrive, and its headers alone, in ms. They do not bound how long the answer takes. */
const RECEIVE_MS = 30_000;
const HEADERS_MS = 10_000;
/** How often Node looks for connections that exceed these bounds, in ms. */
const CONNECTION_CHECK_MS = 1_000;

/** Builds the API server. It does not listen yet, so a test can also inject requests. */
export async function buildApi(deps: ApiDeps) {
  const { env, redis, admission, metrics, tracing } = deps;
  const app = Fastify({
    loggerInstance: deps.logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    // Log lines carry the session and the trace; a child logger for each request would cost as much as the checks of the request.
    childLoggerFactory: (logger) => logger,
    // Must be longer than a load balancer keeps a connection. Otherwise the balancer sends a request on a connection that is being closed.
    keepAliveTimeout: env.KEEP_ALIVE_TIMEOUT,
    trustProxy: [...env.TRUST_PROXY],
    requestTimeout: RECEIVE_MS,
    http: { headersTimeout: HEADERS_MS, connectionsCheckingInterval: CONNECTION_CHECK_MS },
    // Requests that arrive during the shutdown are served; `/readyz` has told the load balancer to send no more.
    return503OnClosing: false,
    bodyLimit: BODY_LIMIT_BYTES,
    routerOptions: { maxParamLength: LONGEST_PARAM },
    // Called for a URL that cannot be decoded. No hook has run, so the security headers are set here.
    frameworkErrors: (error, request, reply) => {
      answerError(error, request, reply.headers({ ...DATA_HEADERS, connection: 'close' }));
    },
    clientErrorHandler: answerUnreadable,
  }).withTypeProvider<TypeBoxTypeProvider>();

  measureRequests(app, metrics.registry);
  addSecurityHeaders(app, 'data');
  boundUnauthenticated(app, keyCheck(env.API_KEYS));
  await shedOverload(app);

  // During the shutdown every answer closes its connection: a kept one would delay the exit, and its next request might fail.
  const readiness = new Readiness(async () => !app.isStuck() && (await deps.ready()));
  app.decorate('readiness', readiness);
  app.addHook('preClose', () => readiness.drain());
  app.addHook('onSend', (_, reply, payload, done) => {
    if (readiness.isDraining) reply.header('connection', 'close');
    done(null, payload);
  });

  compileSchemasWhenUsed(app);
  app.setErrorHandler<FastifyError>(answerError);
  // An empty body is parsed as undefined; `preValidation` below makes it `{}`, so a body whose fields are all optional may be left out.
  // `ignore` keeps keys such as `__proto__`: a chat message may hold any JSON, and Sandman's own schemas refuse unknown keys.
  const parseJson = app.getDefaultJsonParser('ignore', 'ignore');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body: string, done) => {
    if (body === '') done(null, undefined);
    else parseJson(request, body, done);
  });
  app.removeContentTypeParser('text/plain');
  app.addContentTypeParser('*', { parseAs: 'string' }, (_, body: string, done) => {
    if (body === '') done(null, undefined);
    else done(new InvalidInput('content-type', 'must be application/json'));
  });
  app.addHook('preValidation', (request, _, done) => {
    if (request.body === undefined && request.routeOptions.schema?.body !== undefined) request.body = {};
    done();
  });

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Sandman', version: '0.1.0', description: 'Puts idle chat pods to sleep, wakes them, deletes them.' },
      components: {
        securitySchemes: {
          key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
          bearer: { type: 'http', scheme: 'bearer' },
        },
      },
      security: [{ key: [] }, { bearer: [] }],
      webhooks: {
        session: {
          post: {
            summary: 'What workers post to WEBHOOK_URL, signed as Standard Webhooks',
            requestBody: { content: { 'application/json': { schema: WebhookSchema as object } } },
            responses: { '2XX': { description: 'Taken. Anything else is tried again, for a day.' } },
          },
        },
      },
    },
  });
  app.get('/openapi.json', { schema: { hide: true }, config: { withoutKey: 'large' } }, () => app.swagger());
  serveDocs(app);

  await app.register(healthRoutes, deps);
  await app.register(
    async (v1) => {
      v1.addHook('onRequest', async () => {
        if (!admission.isGiven) throw new ProblemError('not-ready', 'Redis cannot be reached');
      });
      // Runs after the check of the key: a trace costs time, and a caller's headers can ask for one.
      if (tracing.requests) await v1.register(tracing.requests);
      if (env.RATE_LIMIT !== null) await limitRate(v1, { perSecond: env.RATE_LIMIT, redis, prefix: env.KEY_PREFIX });
      await v1.register(sessionRoutes, deps);
      await v1.register(signalRoutes, deps);
      await v1.register(chatRoutes, deps);
      await v1.register(journalRoutes, deps);
    },
    { prefix: '/v1' },
  );
  return app;
}

import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { WebhookSchema } from '@sandman/contracts';
import { InvalidInput, SandmanError } from '@sandman/core';
import { Ajv } from 'ajv';
import Fastify, { type FastifyBaseLogger, type FastifyError, LogController } from 'fastify';
import type { ApiDeps } from './deps.ts';
import { serveDocs } from './docs.ts';
import { OF_DATA, secure } from './headers.ts';
import { keyCheck } from './key-check.ts';
import { shedOverload } from './overload.ts';
import { answerError, answerUnreadable } from './problems.ts';
import { limitRate } from './rate-limit.ts';
import { Readiness } from './readiness.ts';
import { chatRoutes } from './routes/chat.ts';
import { journalRoutes } from './routes/journal.ts';
import { measure, probes } from './routes/probes.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { signalRoutes } from './routes/signals.ts';
import { boundUnauthenticated } from './unauthenticated.ts';

const BODY_LIMIT_BYTES = 1_048_576;
/** A user's id of 255 characters, each of up to four bytes written as `%XX`. */
const LONGEST_PARAM = 255 * 12;

/** A request must arrive within this, its headers within that, in ms; how long an answer takes is another matter. */
const RECEIVE_MS = 30_000;
const HEADERS_MS = 10_000;
/** How often connections are looked through for those that are too slow, in ms. */
const LOOK_MS = 1_000;

/** The API, ready to listen or to be injected into. */
export async function buildApi(deps: ApiDeps) {
  const app = Fastify({
    loggerInstance: deps.logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    // Lines are told apart by session and trace; a logger for each request costs as much as its checks.
    childLoggerFactory: (logger) => logger,
    // Longer than a load balancer keeps it: it would send the next request into a connection that is being closed.
    keepAliveTimeout: deps.keepAlive,
    trustProxy: [...deps.trustedProxies],
    requestTimeout: RECEIVE_MS,
    http: { headersTimeout: HEADERS_MS, connectionsCheckingInterval: LOOK_MS },
    // While it drains, what still arrives is served; `/readyz` has told the balancer.
    return503OnClosing: false,
    bodyLimit: BODY_LIMIT_BYTES,
    routerOptions: { maxParamLength: LONGEST_PARAM },
    // An address that cannot be decoded: no hook has seen the request.
    frameworkErrors: (error, request, reply) => {
      answerError(error, request, reply.headers({ ...OF_DATA, connection: 'close' }));
    },
    clientErrorHandler: answerUnreadable,
  }).withTypeProvider<TypeBoxTypeProvider>();

  measure(app, deps.metrics.registry);
  secure(app, 'data');
  boundUnauthenticated(app, keyCheck(deps.apiKeys));
  await shedOverload(app);

  // A connection that is kept alive keeps a process that is told to stop, and its next request may find it gone.
  const readiness = new Readiness(async () => !app.isStuck() && (await deps.ready()));
  app.decorate('readiness', readiness);
  app.addHook('preClose', () => readiness.leave());
  app.addHook('onSend', (_, reply, payload, done) => {
    if (readiness.isLeaving) reply.header('connection', 'close');
    done(null, payload);
  });

  // Text from a query is made a number; a body says what it means.
  const strict = new Ajv({ useDefaults: true, strict: false });
  const lenient = new Ajv({ useDefaults: true, strict: false, coerceTypes: true });
  app.setValidatorCompiler(({ schema, httpPart }) => (httpPart === 'querystring' ? lenient : strict).compile(schema as object));
  app.setErrorHandler<FastifyError>(answerError);
  // A body is optional where all its fields are: nothing at all then means the empty object.
  // A message may hold any JSON; what is ours refuses every key it does not know.
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

  await app.register(probes, deps);
  await app.register(
    async (v1) => {
      v1.addHook('onRequest', async () => {
        if (!deps.admitted()) throw new SandmanError('not-ready', 'Redis cannot be reached');
      });
      // Behind the check of the key: a trace costs, and its callers may ask for it.
      if (deps.requestSpans) await v1.register(deps.requestSpans);
      if (deps.rateLimit) await limitRate(v1, deps.rateLimit);
      await v1.register(sessionRoutes, deps);
      await v1.register(signalRoutes, deps);
      await v1.register(chatRoutes, deps);
      await v1.register(journalRoutes, deps);
    },
    { prefix: '/v1' },
  );
  return app;
}

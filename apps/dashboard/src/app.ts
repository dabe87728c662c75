import helmet from '@fastify/helmet';
import type { RedisData } from '@sandman/assembly';
import { PROBLEM_TYPE, ProblemError, problemOf, RETRY_AFTER_S } from '@sandman/contracts';
import { PolicySet } from '@sandman/core';
import { SessionService, unchanging } from '@sandman/lifecycle';
import { type Logger, redisTrouble, system } from '@sandman/runtime';
import { RedisPodSamples, RedisWorkerRegistry } from '@sandman/store';
import Fastify, { type FastifyBaseLogger, type FastifyError, type FastifyInstance, LogController } from 'fastify';
import type { Account } from './accounts.ts';
import { serveAssets } from './assets.ts';
import { serveBoard } from './board.ts';
import { requireLogin } from './login.ts';
import { serveRoutes } from './routes.ts';

/** The most connections at the same time, 10 KB each; far more than operators need. */
const MOST_CONNECTIONS = 2_000;
/** How long a request may take to arrive, in ms. */
const RECEIVE_MS = 30_000;

export interface DashboardOptions {
  readonly connection: RedisData;
  readonly accounts: readonly Account[];
  /** `POD_PRICE_PER_HOUR`; null if it is not set. */
  readonly podPrice: number | null;
  /** `KEEP_ALIVE_TIMEOUT`, ms. */
  readonly keepAlive: number;
  /** `TRUST_PROXY`: addresses and networks whose `X-Forwarded-*` headers are trusted. */
  readonly trustedProxies: readonly string[];
  readonly logger: Logger;
}

/** Builds the dashboard server: the operators' page at `/` and Bull Board at `/queues`, behind one login. */
export async function buildDashboard(options: DashboardOptions): Promise<FastifyInstance> {
  const { connection, accounts, podPrice, keepAlive, trustedProxies, logger } = options;
  const app = Fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    // Must be longer than a load balancer keeps a connection. Otherwise the balancer sends a request on a connection that is being closed.
    keepAliveTimeout: keepAlive,
    trustProxy: [...trustedProxies],
    requestTimeout: RECEIVE_MS,
    forceCloseConnections: true,
  });
  // A bound is needed, because connections may stay open for long without a login.
  app.server.maxConnections = MOST_CONNECTIONS;
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      // Nothing is loaded from another host, even if a library asks for it. Bull Board needs inline styles.
      directives: {
        defaultSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        objectSrc: ["'none'"],
        baseUri: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    // With `no-referrer`, a browser would send `Origin: null` with a form, and the check of its origin could fail.
    referrerPolicy: { policy: 'same-origin' },
  });
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const problem = problemOf(error, redisTrouble(error));
    if (problem.code === 'internal') request.log.error({ err: error }, 'unexpected error');
    if (problem.code === 'not-ready' || problem.code === 'rate-limited') reply.header('retry-after', RETRY_AFTER_S);
    return reply.code(problem.status).type(PROBLEM_TYPE).send(JSON.stringify(problem));
  });
  app.setNotFoundHandler(() => {
    throw new ProblemError('not-found', 'There is no such page');
  });
  await app.register(requireLogin, { accounts });

  const { redis, keyspace, store, shardState, alarms, journal, answers } = connection;
  await serveAssets(app);
  serveRoutes(app, {
    store,
    shardState,
    alarms,
    journal,
    registry: new RedisWorkerRegistry(redis, keyspace.prefix),
    podSamples: new RedisPodSamples(redis, keyspace.prefix),
    service: new SessionService({
      store,
      alarms,
      // The dashboard creates no sessions, so it needs only a default policy.
      policies: unchanging(new PolicySet().default),
      system,
      unarmed: (err) => logger.warn({ err }, 'an alarm could not be set at once; a worker will finish it'),
    }),
    podPrice,
  });
  await serveBoard(app, alarms, answers);

  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  app.get('/healthz', { config: { open: true } }, () => ({ status: 'ok' }));
  app.get('/readyz', { config: { open: true } }, async (_, reply) => {
    const up = !closing && (await answers());
    return reply.code(up ? 200 : 503).send({ status: up ? 'ready' : 'not-ready' });
  });
  return app;
}

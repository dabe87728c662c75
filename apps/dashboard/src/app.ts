import helmet from '@fastify/helmet';
import { PROBLEM_TYPE, problemOf, RETRY_AFTER_S } from '@sandman/contracts';
import { PolicyBook, SandmanError } from '@sandman/core';
import { SessionService, unchanging } from '@sandman/lifecycle';
import { AlarmQueues } from '@sandman/queue';
import { answers, type Logger } from '@sandman/runtime';
import { RedisJournal, RedisRoster, RedisSessionStore, RedisTrend } from '@sandman/store';
import Fastify, { type FastifyBaseLogger, type FastifyError, type FastifyInstance, LogController } from 'fastify';
import type { Cluster, Redis } from 'ioredis';
import type { Account } from './accounts.ts';
import { serveAssets } from './assets.ts';
import { serveBoard } from './board.ts';
import { login } from './login.ts';
import { serveRoutes } from './routes.ts';

/** Connections at once, 10 KB each: far more than there are operators. */
const MOST_CONNECTIONS = 2_000;
/** A request must arrive within this, in ms. */
const RECEIVE_MS = 30_000;
/** A session that is woken by hand follows at once: its alarms are its own, and no burst of pings. */
const SLACK_PERCENT = 1;

export interface DashboardOptions {
  readonly redis: Redis | Cluster;
  readonly prefix: string;
  readonly shards: number;
  readonly accounts: readonly Account[];
  /** `POD_PRICE_PER_HOUR`; null where none is set. */
  readonly podPrice: number | null;
  /** `KEEP_ALIVE_TIMEOUT`, ms. */
  readonly keepAlive: number;
  /** `TRUST_PROXY`: addresses and networks whose `X-Forwarded-*` headers are believed. */
  readonly trustedProxies: readonly string[];
  readonly logger: Logger;
}

/** The operators' page at `/` and Bull Board at `/queues`, behind one login. */
export async function buildDashboard(options: DashboardOptions): Promise<FastifyInstance> {
  const { redis, prefix, shards, accounts, podPrice, keepAlive, trustedProxies, logger } = options;
  const app = Fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    // Longer than a load balancer keeps it: it would send the next request into a connection that is being closed.
    keepAliveTimeout: keepAlive,
    trustProxy: [...trustedProxies],
    requestTimeout: RECEIVE_MS,
    forceCloseConnections: true,
  });
  // Some are kept for long without a login.
  app.server.maxConnections = MOST_CONNECTIONS;
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      // Nothing comes from another host, whatever a library asks for. Bull Board styles its elements one by one.
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
    // With none at all a browser would not say where a form comes from.
    referrerPolicy: { policy: 'same-origin' },
  });
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const problem = problemOf(error);
    if (problem.code === 'internal') request.log.error({ err: error }, 'unexpected error');
    if (problem.code === 'not-ready' || problem.code === 'rate-limited') reply.header('retry-after', RETRY_AFTER_S);
    return reply.code(problem.status).type(PROBLEM_TYPE).send(JSON.stringify(problem));
  });
  app.setNotFoundHandler(() => {
    throw new SandmanError('not-found', 'There is no such page');
  });
  await app.register(login, { accounts });

  const store = new RedisSessionStore(redis, { prefix, shards, slack: SLACK_PERCENT });
  // BullMQ's connection errors, which its queues would otherwise print, passwords and all.
  const alarms = new AlarmQueues(redis, prefix, shards, (err) => logger.warn({ err }, 'queue'));
  await serveAssets(app);
  serveRoutes(app, {
    store,
    alarms,
    journal: new RedisJournal(redis, { prefix, shards }),
    roster: new RedisRoster(redis, prefix),
    trend: new RedisTrend(redis, prefix),
    service: new SessionService({
      store,
      alarms,
      // Nobody begins a session here.
      policies: unchanging(new PolicyBook().default),
      unarmed: (err) => logger.warn({ err }, 'an alarm could not be set at once; a worker will finish it'),
    }),
    podPrice,
  });
  await serveBoard(app, alarms, () => answers(redis));

  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  app.get('/healthz', { config: { open: true } }, () => ({ status: 'ok' }));
  app.get('/readyz', { config: { open: true } }, async (_, reply) => {
    const up = !closing && (await answers(redis));
    return reply.code(up ? 200 : 503).send({ status: up ? 'ready' : 'not-ready' });
  });
  app.addHook('onClose', () => alarms.close());
  return app;
}

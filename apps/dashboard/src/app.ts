import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import helmet from '@fastify/helmet';
import { alarmQueues } from '@sandman/queue';
import { answers } from '@sandman/runtime';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Cluster, Redis } from 'ioredis';
import { login } from './login.ts';

export interface DashboardOptions {
  readonly redis: Redis | Cluster;
  readonly prefix: string;
  readonly shards: number;
  readonly user: string;
  readonly password: string;
  /** Told of BullMQ's connection errors, which its queues would otherwise print, passwords and all. */
  readonly onError: (error: Error) => void;
}

/** Bull Board at `/queues`, behind the login. */
export async function buildDashboard({ redis, prefix, shards, user, password, onError }: DashboardOptions): Promise<FastifyInstance> {
  const app = Fastify();
  // Bull Board asks another host for a font; no page of ours tells others that it is looked at.
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'self'"], styleSrc: ["'self'", "'unsafe-inline'"], imgSrc: ["'self'", 'data:'] },
    },
  });
  await app.register(login, { user, password });

  const queues = alarmQueues(redis, prefix, shards).map((queue) => queue.on('error', onError));
  const board = new FastifyAdapter();
  board.setBasePath('/queues');
  createBullBoard({
    // Read only: a job promoted or removed by hand is an alarm lost or early, and the session behind it unchanged.
    // Each shard has a queue of each name, and the board tells queues apart by what it calls them.
    queues: queues.map((queue, i) => {
      const prefix = shards === 1 ? '' : `${Math.floor(i / (queues.length / shards))}-`;
      return new BullMQAdapter(queue, { readOnlyMode: true, allowRetries: false, prefix });
    }),
    serverAdapter: board,
  });
  await app.register(board.registerPlugin(), { prefix: '/queues' });

  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  app.get('/', (_, reply) => reply.redirect('/queues'));
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', async (_, reply) => {
    const up = !closing && (await answers(redis));
    return reply.code(up ? 200 : 503).send({ status: up ? 'ready' : 'not-ready' });
  });
  app.addHook('onClose', async () => {
    await Promise.all(queues.map((queue) => queue.close()));
  });
  return app;
}

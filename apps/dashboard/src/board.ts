import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import { PROBLEM_TYPE, type ProblemCode, problem } from '@sandman/contracts';
import { type AlarmRef, shardOf } from '@sandman/core';
import { type AlarmQueues, jobId } from '@sandman/queue';
import type { FastifyInstance } from 'fastify';

const BASE = '/queues';

/**
 * The largest values of Bull Board's query: those that its own page offers. It takes any, and a page of 100,000 jobs is a
 * script of half a second, during which Redis serves nothing else.
 */
const MOST = { jobsPerPage: 300, page: 1_000_000 };

/** Names the first field of a query that is out of bounds, and says what it must be; null where there is none. */
function outOfBounds(query: Readonly<Record<string, unknown>>): string | null {
  for (const [field, most] of Object.entries(MOST)) {
    // Bull Board takes an empty one as absent.
    const given = query[field] || '1';
    const value = typeof given === 'string' && /^\d{1,9}$/.test(given) ? Number(given) : 0;
    if (value < 1 || value > most) return `${field} must be a whole number, 1 to ${most}`;
  }
  return null;
}

/** Bull Board asks another host for a font. */
const FONT = /<link href="https:\/\/fonts\.googleapis\.com[^>]*>/g;

/** What the board calls a queue: each shard has one of each name. */
function prefixOf(shard: number, shards: number): string {
  return shards === 1 ? '' : `${shard}-`;
}

/** Where the board shows the job of an alarm. */
export function jobPath(alarm: AlarmRef, shards: number): string {
  return `${BASE}/queue/${prefixOf(shardOf(alarm.uuid, shards), shards)}${alarm.name}/${jobId(alarm)}`;
}

const ABOUT =
  'The record of a session is the truth, and a job only says "look again". A job that was moved shows a wrong time here; the sessions page shows the right one.';

/**
 * Bull Board, to look at: a job promoted or removed by hand would be an alarm lost or early, and the session behind it
 * unchanged. So whoever is logged in, it changes nothing.
 */
export async function serveBoard(app: FastifyInstance, alarms: AlarmQueues, ready: () => Promise<boolean>): Promise<void> {
  const adapter = new FastifyAdapter();
  adapter.setBasePath(BASE);
  const { byShard } = alarms;
  createBullBoard({
    queues: byShard.flatMap((queues, shard) =>
      Object.values(queues).map((queue) => {
        const sessionOf = ({ id }: { id?: unknown }) => /^[a-z]+-(.*)-\d+$/.exec(String(id))?.[1] ?? '';
        return new BullMQAdapter(queue, {
          readOnlyMode: true,
          allowRetries: false,
          prefix: prefixOf(shard, byShard.length),
          description: ABOUT,
          externalJobUrl: (job) => ({ displayText: 'Session', href: `/?session=${sessionOf(job)}` }),
        });
      }),
    ),
    serverAdapter: adapter,
    options: {
      // The workers of a queue are read with CLIENT LIST, at each poll and of each queue: over all connections of Redis. The
      // sessions page shows the workers.
      uiConfig: {
        boardTitle: 'Sandman',
        miscLinks: [{ text: 'Sessions', url: '/' }],
        hideRedisDetails: true,
        hideDocsLink: true,
        showWorkers: false,
      },
    },
  });
  await app.register(
    async (board) => {
      board.addHook<{ Querystring: Record<string, unknown> }>('onRequest', async ({ method, query }, reply) => {
        const refuse = (code: ProblemCode, detail: string) => {
          const answer = problem(code, detail);
          return reply.code(answer.status).type(PROBLEM_TYPE).send(JSON.stringify(answer));
        };
        if (method !== 'GET' && method !== 'HEAD') return refuse('forbidden', 'The board only shows jobs');
        const wrong = outOfBounds(query);
        if (wrong) return refuse('invalid-request', wrong);
        // BullMQ waits for a Redis that it has never reached.
        if (!(await ready())) return refuse('not-ready', 'Redis cannot be reached');
      });
      board.addHook('onSend', async (_, reply, payload) => {
        const page = typeof payload === 'string' && String(reply.getHeader('content-type')).startsWith('text/html');
        if (!page) return payload;
        reply.removeHeader('content-length');
        return payload.replace(FONT, '');
      });
      await board.register(adapter.registerPlugin());
    },
    { prefix: BASE },
  );
}

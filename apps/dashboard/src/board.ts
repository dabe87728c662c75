import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import { PROBLEM_TYPE, type ProblemCode, problem } from '@sandman/contracts';
import { type AlarmRef, shardOf } from '@sandman/core';
import { type AlarmQueues, jobId } from '@sandman/queue';
import type { FastifyInstance } from 'fastify';

const BASE_PATH = '/queues';

/**
 * The largest accepted values in Bull Board's query, at least those that its own page offers. Bull Board accepts any, and a page of
 * 100,000 jobs runs a script for 0.5 s, during which Redis serves nothing else.
 */
const QUERY_LIMITS = { jobsPerPage: 300, page: 1_000_000 };

/** Returns an error text for the first field of a query that is out of bounds; null if there is none. */
function outOfBounds(query: Readonly<Record<string, unknown>>): string | null {
  for (const [field, most] of Object.entries(QUERY_LIMITS)) {
    // Bull Board treats an empty value as absent.
    const given = query[field] || '1';
    const value = typeof given === 'string' && /^\d{1,9}$/.test(given) ? Number(given) : 0;
    if (value < 1 || value > most) return `${field} must be a whole number, 1 to ${most}`;
  }
  return null;
}

/** Matches the link with which Bull Board's page loads a font from another host; it is removed. */
const FONT_LINK = /<link href="https:\/\/fonts\.googleapis\.com[^>]*>/g;

/** Returns the prefix of a shard's queue names on the board; without it the shards' queues would have the same names. */
function queueNamePrefix(shard: number, shards: number): string {
  return shards === 1 ? '' : `${shard}-`;
}

/** Returns the path at which the board shows the job of an alarm. */
export function jobPath(alarm: AlarmRef, shards: number): string {
  return `${BASE_PATH}/queue/${queueNamePrefix(shardOf(alarm.uuid, shards), shards)}${alarm.name}/${jobId(alarm)}`;
}

const JOB_DESCRIPTION =
  'The record of a session is the truth, and a job only says "look again". A job that was moved shows a wrong time here; the sessions page shows the right one.';

/**
 * Serves Bull Board read-only, also for operators. Promoting or removing a job by hand would make an alarm ring early or get lost,
 * and leave its session unchanged.
 */
export async function serveBoard(app: FastifyInstance, alarms: AlarmQueues, ready: () => Promise<boolean>): Promise<void> {
  const adapter = new FastifyAdapter();
  adapter.setBasePath(BASE_PATH);
  const { byShard } = alarms;
  createBullBoard({
    queues: byShard.flatMap((queues, shard) =>
      Object.values(queues).map((queue) => {
        const sessionOf = ({ id }: { id?: unknown }) => /^[a-z]+-(.*)-\d+$/.exec(String(id))?.[1] ?? '';
        return new BullMQAdapter(queue, {
          readOnlyMode: true,
          allowRetries: false,
          prefix: queueNamePrefix(shard, byShard.length),
          description: JOB_DESCRIPTION,
          externalJobUrl: (job) => ({ displayText: 'Session', href: `/?session=${sessionOf(job)}` }),
        });
      }),
    ),
    serverAdapter: adapter,
    options: {
      // `showWorkers` would run CLIENT LIST, which reads all connections of Redis, for each queue at each poll. The sessions page shows
      // the workers.
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
        // Refused here, because BullMQ waits without limit for a Redis that it has never reached.
        if (!(await ready())) return refuse('not-ready', 'Redis cannot be reached');
      });
      board.addHook('onSend', async (_, reply, payload) => {
        const page = typeof payload === 'string' && String(reply.getHeader('content-type')).startsWith('text/html');
        if (!page) return payload;
        reply.removeHeader('content-length');
        return payload.replace(FONT_LINK, '');
      });
      await board.register(adapter.registerPlugin());
    },
    { prefix: BASE_PATH },
  );
}

import { readFileSync } from 'node:fs';
import { startRedis } from '@sandman/sandbox';
import { Redis } from 'ioredis';
import { Agent } from 'undici';
import { alarmsWith } from './alarm-strategies.ts';
import type { Benchmark, Context } from './benchmark.ts';
import { type Figure, figure, interleave } from './figures.ts';
import { fillFleet, SessionCycle } from './fleet.ts';
import { API_KEY, type BenchProcess, runEntry, runSandman } from './processes.ts';

const DIRECT = 'the session-manager itself';
const PROXY = 'through Sandman';
const FLOOR = 'through a bare proxy';
const FLOOR_PREFIX = 'bare';
type Name = typeof DIRECT | typeof FLOOR | typeof PROXY;
const GROUP = 'chat';
const SESSIONS = 1_000;
/** Calls per second: about what single users send one after the other. Measures latency, not load. */
const CALLS_PER_SECOND = 100;
const STREAMED_MB = 100;
const SAMPLE_MS = 10;

const agent = new Agent({ connections: 8 });

async function sendChat(origin: string, path: string, message: unknown): Promise<number> {
  const { statusCode, body } = await agent.request({
    origin,
    path,
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': API_KEY },
    body: JSON.stringify({ message }),
  });
  let bytes = 0;
  for await (const chunk of body) bytes += (chunk as Buffer).length;
  if (statusCode !== 200) throw new Error(`${origin}${path} answered ${statusCode}`);
  return bytes;
}

/** Starts calls at a fixed rate and returns their durations, sorted, in ms. */
async function latencies(seconds: number, call: () => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  const running: Promise<void>[] = [];
  for (let i = 0; i < seconds * CALLS_PER_SECOND; i++) {
    const from = performance.now();
    running.push(
      call().then(() => {
        took.push(performance.now() - from);
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 1_000 / CALLS_PER_SECOND));
  }
  await Promise.all(running);
  return took.sort((a, b) => a - b);
}

function memoryOf({ pid }: BenchProcess): number {
  const kilobytes = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  return kilobytes / 1_024;
}

/** Measures by how many MB the process grows while an answer streams through it, and how long that takes in s. */
async function measureStream(api: BenchProcess, path: string): Promise<{ grown: number; took: number }> {
  const before = memoryOf(api);
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, memoryOf(api));
  }, SAMPLE_MS);
  const from = performance.now();
  const bytes = await sendChat(api.url, `/v1${path}`, { megabytes: STREAMED_MB });
  clearInterval(watch);
  if (bytes !== STREAMED_MB * 1_048_576) throw new Error(`${bytes} bytes came, not ${STREAMED_MB} MB`);
  return { grown: most - before, took: (performance.now() - from) / 1_000 };
}

export const chats: Benchmark = {
  name: 'chat',
  about: 'What the chat proxy adds to an answer, and what a streamed answer of 100 MB takes',
  async run(context: Context): Promise<Figure[]> {
    const { rounds, seconds, warmUp } = context.scale;
    const redis = await startRedis();
    const running: BenchProcess[] = [];
    const connection = new Redis(redis.url, { enableAutoPipelining: true });
    const alarms = alarmsWith(null, connection, GROUP);
    try {
      await fillFleet(connection, GROUP, alarms, SESSIONS, context);
      await fillFleet(connection, FLOOR_PREFIX, alarms, SESSIONS, context);
      const sessionManager = await runEntry('session-manager', { redisUrl: redis.url, prefix: GROUP });
      const api = await runSandman('api', { redisUrl: redis.url, prefix: GROUP, sessionManager: sessionManager.url });
      const bare = await runEntry('bare-proxy', { redisUrl: redis.url, prefix: FLOOR_PREFIX, sessionManager: sessionManager.url });
      running.push(sessionManager, api, bare);
      const turns = new SessionCycle(SESSIONS);
      const calls = {
        [DIRECT]: () => sendChat(sessionManager.url, `/session/${turns.next()}/chat`, 'hello'),
        [FLOOR]: () => sendChat(bare.url, `/v1/sessions/${turns.next()}/chat`, 'hello'),
        [PROXY]: () => sendChat(api.url, `/v1/sessions/${turns.next()}/chat`, 'hello'),
      };
      if (warmUp) for (const call of Object.values(calls)) await latencies(Math.min(2, seconds), call);
      const took = await interleave([DIRECT, FLOOR, PROXY] as const, rounds, async (name, round) => {
        const sorted = await latencies(seconds, calls[name]);
        const at = (share: number) => sorted[Math.floor(share * sorted.length)]!;
        context.progress(`round ${round + 1} of ${rounds}, ${name}: p50 ${at(0.5).toFixed(2)} ms`);
        return { p50: at(0.5), p99: at(0.99) };
      });
      const added = (name: Name, what: 'p50' | 'p99') => took[name].map((one, round) => one[what] - took[DIRECT][round]![what]);
      const of = (name: Name, what: 'p50' | 'p99') => took[name].map((one) => one[what]);
      const streams: Awaited<ReturnType<typeof measureStream>>[] = [];
      for (let round = 0; round < rounds; round++) streams.push(await measureStream(api, `/sessions/${turns.next()}/chat`));
      return [
        ...([DIRECT, FLOOR, PROXY] as const).flatMap((name) =>
          (['p50', 'p99'] as const).map((what) => figure(GROUP, `${name}: ${what}`, 'ms', of(name, what))),
        ),
        figure(GROUP, 'added by a bare proxy: p50', 'ms', added(FLOOR, 'p50')),
        figure(GROUP, 'added by a bare proxy: p99', 'ms', added(FLOOR, 'p99')),
        figure(GROUP, 'added by Sandman: p50', 'ms', added(PROXY, 'p50'), { atMost: 1 }),
        figure(GROUP, 'added by Sandman: p99', 'ms', added(PROXY, 'p99'), { atMost: 5 }),
        figure(
          GROUP,
          `memory that the API grows by while ${STREAMED_MB} MB stream through it`,
          'MB',
          streams.map(({ grown }) => grown),
        ),
        figure(
          GROUP,
          `time that those ${STREAMED_MB} MB take`,
          's',
          streams.map((one) => one.took),
        ),
      ];
    } finally {
      await Promise.all(running.map((one) => one.stop()));
      await alarms.close();
      connection.disconnect();
      await redis.stop();
    }
  },
};

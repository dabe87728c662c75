import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type RedisServer, startEntry, startRedis } from '@sandman/sandbox';
import { Redis } from 'ioredis';
import { Agent, request } from 'undici';
import type { Benchmark, Context } from './benchmark.ts';
import { type Figure, figure, interleave } from './figures.ts';
import { API_KEY, type BenchProcess, runSandman } from './processes.ts';

interface Attack {
  readonly attack: string;
  readonly attackers: number;
}

const ATTACKS: Readonly<Record<string, Attack>> = {
  'no attack': { attack: 'none', attackers: 0 },
  'one connection without a key sends GET / at 218 kB/s, and waits for no answer': { attack: 'pipeline', attackers: 1 },
  '10 connections without a key send a body, a byte a second': { attack: 'drip', attackers: 10 },
  '1,000 connections without a key send a body, a byte a second': { attack: 'drip', attackers: 1_000 },
  '10,000 connections without a key send a body, a byte a second': { attack: 'drip', attackers: 10_000 },
  'batches of 1,000 events of a user with 300 sessions, four at once': { attack: 'batch', attackers: 4 },
  '140 chats of 1 MB that are never answered': { attack: 'chat', attackers: 140 },
  '2,000 callers wait for a wake, and hang up': { attack: 'wait', attackers: 2_000 },
};

const HEAP_MB = 256;
/** Pings per second that the other callers send, and after how many ms they give up on an answer. */
const PINGS_PER_SECOND = 200;
const PING_TIMEOUT_MS = 5_000;
/** The most sessions of the user who sends too much; as many others are pinged. */
const SESSIONS = 300;
const POLL_MS = 100;
/** The attack begins at most this long before the measurement, in ms. */
const ATTACK_LEAD_MS = 2_000;

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, ms)));

/** Accepts each call and never answers. */
async function startHangingSessionManager() {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Returns the highest memory use of a process so far, in MB, or 0 if it has ended. */
function peakMemory(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;
  } catch {
    return 0;
  }
}

/** Records the longest age of the API's heartbeat in ms, until the returned function is called. */
function watchHeartbeat(redis: Redis, prefix: string) {
  let longest = 0;
  let last = 0;
  let over = false;
  const done = (async () => {
    while (!over) {
      const heartbeat = Number(await redis.hget(`{${prefix}:0}:ingest`, 'beat'));
      const [seconds, micros] = await redis.time();
      if (heartbeat > 0) longest = Math.max(longest, Number(seconds) * 1_000 + Number(micros) / 1_000 - heartbeat);
      last = heartbeat;
      await pause(POLL_MS);
    }
  })();
  return async () => {
    over = true;
    await done;
    return last === 0 ? Number.NaN : longest;
  };
}

/** Sends pings at a steady rate. Returns the p99 of their durations in ms and the percentage that was refused or failed. */
async function steadyPings(url: string, uuids: readonly string[], seconds: number) {
  const agent = new Agent({ connections: 50, pipelining: 1 });
  const took: number[] = [];
  let refused = 0;
  const one = async (uuid: string) => {
    const from = performance.now();
    try {
      const answer = await request(`${url}/v1/sessions/${uuid}/activity`, {
        method: 'POST',
        headers: { 'x-api-key': API_KEY },
        dispatcher: agent,
        signal: AbortSignal.timeout(PING_TIMEOUT_MS),
      });
      await answer.body.dump();
      if (answer.statusCode !== 202) refused += 1;
    } catch {
      refused += 1;
    }
    took.push(performance.now() - from);
  };
  const from = performance.now();
  const all: Promise<void>[] = [];
  for (let i = 0; i < seconds * PINGS_PER_SECOND; i++) {
    all.push(one(uuids[i % uuids.length]!));
    await pause(from + ((i + 1) * 1_000) / PINGS_PER_SECOND - performance.now());
  }
  await Promise.all(all);
  await agent.destroy();
  took.sort((a, b) => a - b);
  return { p99: took[Math.floor(0.99 * took.length)]!, refused: (100 * refused) / took.length };
}

async function adopt(api: BenchProcess, uuid: string, userId: string): Promise<void> {
  const answer = await request(`${api.url}/v1/sessions/${uuid}`, {
    method: 'PUT',
    headers: { 'x-api-key': API_KEY, 'content-type': 'application/json' },
    body: JSON.stringify({ userId, policy: 'conservative' }),
  });
  await answer.body.dump();
  if (answer.statusCode !== 201) throw new Error(`PUT answered ${answer.statusCode}`);
}

async function measureAttack({ attack, attackers }: Attack, server: RedisServer, prefix: string, sessions: number, seconds: number) {
  const sessionManager = await startHangingSessionManager();
  const settings = { redisUrl: server.url, prefix, sessionManager: sessionManager.url };
  const api = await runSandman('api', { ...settings, env: { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` } });
  const redis = new Redis(server.url);
  try {
    const uuids = Array.from({ length: sessions }, (_, index) => `many-${index}`);
    const pinged = Array.from({ length: sessions }, (_, index) => `ping-${index}`);
    for (const [index, uuid] of uuids.entries()) await Promise.all([adopt(api, uuid, 'many'), adopt(api, pinged[index]!, `user-${index}`)]);
    if (attack === 'wait') {
      for (const uuid of uuids) {
        const answer = await request(`${api.url}/v1/sessions/${uuid}/sleep`, { method: 'POST', headers: { 'x-api-key': API_KEY } });
        await answer.body.dump();
      }
    }
    const commands = async () => Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1]);
    const attacker = startEntry(new URL('./attacker.ts', import.meta.url), {
      ...{ ATTACK: attack, ATTACKERS: `${attackers}`, PORT: new URL(api.url).port, API_KEY, UUIDS: uuids.join() },
    });
    await pause(Math.min(ATTACK_LEAD_MS, 1_000 * seconds));
    const stopWatching = watchHeartbeat(redis, prefix);
    const before = await commands();
    const from = performance.now();
    const { p99, refused } = await steadyPings(api.url, pinged, seconds);
    const perSecond = ((await commands()) - before) / ((performance.now() - from) / 1_000);
    const gap = await stopWatching();
    const memory = peakMemory(api.pid);
    attacker.kill('SIGKILL');
    return { p99, refused, perSecond, memory, gap };
  } finally {
    redis.disconnect();
    await api.stop();
    sessionManager.stop();
  }
}

export const attacks: Benchmark = {
  name: 'attacks',
  about: `What callers cost others who mean harm, or only too much, beside ${PINGS_PER_SECOND} pings a second (an API with a heap of ${HEAP_MB} MB)`,
  async run({ scale: { rounds, seconds, small }, progress }: Context): Promise<Figure[]> {
    const server = await startRedis();
    try {
      let stages = 0;
      const names = Object.keys(ATTACKS);
      const measured = await interleave(names, rounds, async (name, round) => {
        stages += 1;
        const { attack, attackers } = ATTACKS[name]!;
        const scaled = { attack, attackers: Math.min(attackers, 5 * small) };
        const found = await measureAttack(scaled, server, `attack-${stages}`, Math.min(SESSIONS, small), seconds);
        progress(`${name}, round ${round + 1} of ${rounds}: p99 ${Math.round(found.p99)} ms, ${found.refused.toFixed(1)} % refused`);
        return found;
      });
      return names.flatMap((group) => {
        const of = (what: string, unit: string, key: keyof Awaited<ReturnType<typeof measureAttack>>) =>
          figure(
            group,
            what,
            unit,
            measured[group]!.map((one) => one[key]),
          );
        return [
          of('a ping is answered: p99', 'ms', 'p99'),
          of('pings that are not taken', '%', 'refused'),
          of("Redis' commands", '/s', 'perSecond'),
          of('memory of the API at most (0: it ended)', 'MB', 'memory'),
          of('the longest time without a heartbeat', 'ms', 'gap'),
        ];
      });
    } finally {
      await server.stop();
    }
  },
};

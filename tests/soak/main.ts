import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { parseNumberOption, runCommand, startRedis } from '@sandman/sandbox';
import { TestStack } from '../stack.ts';
import { type MeasuredProcess, metricsOf, redisMemory, total } from './memory.ts';
import { measureGrowth } from './memory-growth.ts';
import { SoakUsers } from './users.ts';

const HELP = `Runs real processes under load and shows whether their memory stays bounded.

  npm run soak -- --minutes N   for N minutes (0.5 to 1440; default 10), after half a minute that is not counted

  --sessions N   users with one session each (1 to 20000; default 2000)
  --help

Two APIs, two workers and a simulated session-manager, on a Redis of its own with AOF. Sessions are created, used, put to
sleep, woken and deleted all the time; every 20 s comes a burst past what an API takes. Deleted sessions are known for a
day: with 2000 users Redis takes some 5 MB more each minute.

Memory is bounded where the median of the last quarter is at most 15 % and 30 MB above that of the second; the first,
too, is warm-up. Of Redis that is what it holds beside its deleted sessions. The simulated session-manager is not judged: it
keeps a journal.

Exits with 0 when memory is bounded and nothing unexpected was answered, 1 when not, 2 on wrong arguments.`;

/** The number of samples, and the shortest and longest interval between two of them, in ms. */
const SAMPLES = 120;
const SOONEST_MS = 1_000;
const LATEST_MS = 15_000;
/** Time that a heap takes to find its size, in ms: workers go from 130 to 250 MB in any case. */
const WARM_UP_MS = 30_000;
/** A heap like that of a small container. Without a limit, a heap grows for as long as the machine has memory. */
const HEAP_MB = 256;
const MB = 1_048_576;
/** The exit code that shells report for a process that SIGINT ended. */
const INTERRUPTED = 130;

function megabytes(bytes: number): string {
  return `${(bytes / MB).toFixed(1)} MB`;
}

/** Takes samples during a run, and reports the result. */
class Soak {
  readonly #parts: readonly MeasuredProcess[];
  readonly #users: SoakUsers;
  readonly #redis: () => ReturnType<typeof redisMemory>;
  readonly #series = new Map<string, number[]>();
  readonly #startedAt = performance.now();
  #tombstones = '';
  #repairs = 0;

  constructor(parts: readonly MeasuredProcess[], users: SoakUsers, redis: () => ReturnType<typeof redisMemory>) {
    this.#parts = parts;
    this.#users = users;
    this.#redis = redis;
  }

  /** Measures every part, and prints one line. */
  async sample(): Promise<void> {
    const [redis, ...metrics] = await Promise.all([this.#redis(), ...this.#parts.map(metricsOf)]);
    const sum = (series: string) => metrics.reduce((all, text) => all + total(text, series), 0);
    const done = (action: string) => sum(`sandman_actions_total{action="${action}",outcome="done"}`);
    const resident = metrics.map((text, i) => [this.#parts[i]!.name, total(text, 'process_resident_memory_bytes')] as const);
    const measured = [...resident, ['redis', redis.rest] as const];
    const elapsed = performance.now() - this.#startedAt;
    for (const [name, bytes] of elapsed < WARM_UP_MS ? [] : measured) this.#series.set(name, [...(this.#series.get(name) ?? []), bytes]);
    this.#repairs = sum('sandman_sweep_repairs_total');
    this.#tombstones = `${redis.tombstones} deleted sessions of ${redis.tombstoneBytes.toFixed(0)} bytes; ${megabytes(redis.used)} in all`;
    const line = [
      `${(elapsed / 1_000).toFixed(0).padStart(5)} s`,
      `${total(metrics[0]!, 'sandman_sessions{')} alive`,
      `${this.#users.pings} pings`,
      `${this.#users.refused} × 503`,
      ...(['sleep', 'wake', 'delete'] as const).map((action) => `${done(action)} ${action}s`),
      ...measured.map(([name, bytes]) => `${name} ${(bytes / MB).toFixed(0)}`),
    ];
    console.log(`${line.join(' · ')} MB`);
  }

  /** Prints the table. @returns what was wrong */
  conclude(): string[] {
    const wrong: string[] = [];
    const row = (cells: readonly string[]) => console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(18) : cell.padStart(14))).join(''));
    console.log();
    row(['memory', 'second quarter', 'last quarter', 'growth', 'allowed', '']);
    for (const [name, series] of this.#series) {
      const { early, late, most, bounded } = measureGrowth(series);
      row([name, ...[early, late, late - early, most - early].map(megabytes), bounded ? 'bounded' : 'GROWS']);
      if (!bounded) wrong.push(`${name} grows: ${megabytes(early)} became ${megabytes(late)}, more than ${megabytes(most)}`);
    }
    console.log(`\nredis is counted without ${this.#tombstones}`);
    console.log('session-manager (simulated) is not judged: it keeps a journal');
    for (const [what, times] of this.#users.unexpected) wrong.push(`${times} × ${what}`);
    if (this.#repairs > 0) wrong.push(`the sweep mended the alarms of ${this.#repairs} sessions`);
    for (const { name, app } of this.#parts) {
      const [first, ...others] = `${app.stdout()}${app.stderr()}`.split('\n').filter(Boolean);
      if (first) wrong.push(`${name} logged ${others.length + 1} errors, the first: ${first}`);
    }
    return wrong;
  }
}

/** @returns what was wrong, or null if it was interrupted */
async function soak(minutes: number, sessions: number, interrupted: AbortSignal): Promise<string[] | null> {
  const redis = await startRedis({ aof: true });
  const stack = new TestStack(redis.url, { LOG_LEVEL: 'error', NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` });
  const users = new SoakUsers(stack, sessions);
  try {
    await stack.start({ apis: 2, workers: 0 });
    const workers = await Promise.all([stack.addWorker(), stack.addWorker()]);
    const parts = [
      ...stack.apis.map((app, i) => ({ name: `api ${i + 1}`, app, url: stack.apiUrls[i]! })),
      ...workers.map((app, i) => ({ name: `worker ${i + 1}`, app, url: app.ops })),
    ];
    const run = new Soak(parts, users, () => redisMemory(redis, `{${stack.prefix}:0}`));
    const every = Math.min(LATEST_MS, Math.max(SOONEST_MS, (minutes * 60_000) / SAMPLES));
    const living = users.live();
    const until = performance.now() + WARM_UP_MS + minutes * 60_000;
    while (performance.now() < until && !interrupted.aborted) {
      const next = pause(every, undefined, { signal: interrupted }).catch(() => {});
      await run.sample();
      await next;
    }
    if (interrupted.aborted) return null;
    await users.leave(living);
    return run.conclude();
  } finally {
    users.stop();
    await stack.stop();
    await redis.stop();
  }
}

await runCommand(async (args) => {
  const { values } = parseArgs({
    args,
    options: { minutes: { type: 'string' }, sessions: { type: 'string' }, help: { type: 'boolean' } },
  });
  const minutes = parseNumberOption('minutes', values.minutes, { least: 0.5, most: 1_440, whole: false }) ?? 10;
  const sessions = parseNumberOption('sessions', values.sessions, { least: 1, most: 20_000 }) ?? 2_000;
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort());
  // The reader of the output has closed it.
  process.stdout.on('error', () => interrupt.abort());
  console.log(`${sessions} users for ${minutes} minutes`);
  const wrong = await soak(minutes, sessions, interrupt.signal).catch((error) => {
    if (interrupt.signal.aborted) return null;
    throw error;
  });
  if (wrong === null) {
    console.log('interrupted: no verdict');
    // Users may still wait for answers that will not come.
    process.exit(INTERRUPTED);
  }
  console.log(wrong.length === 0 ? '\nMemory is bounded.' : `\n${wrong.join('\n')}`);
  return wrong.length === 0 ? 0 : 1;
});

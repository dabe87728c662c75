import { startRedis } from '@sandman/sandbox';
import type { Benchmark } from './benchmark.ts';
import { figure } from './figures.ts';
import { runSandman } from './processes.ts';

export const start: Benchmark = {
  name: 'start',
  about: 'From the start of a process until it is ready',
  async run({ scale, progress }) {
    const redis = await startRedis();
    try {
      const took: Record<'api' | 'worker', number[]> = { api: [], worker: [] };
      for (let round = 0; round < scale.rounds; round++) {
        for (const app of ['api', 'worker'] as const) {
          const running = await runSandman(app, { redisUrl: redis.url, prefix: 'start' });
          await running.stop();
          took[app].push(running.upAfter);
          progress(`round ${round + 1} of ${scale.rounds}, ${app}: ${Math.round(running.upAfter)} ms`);
        }
      }
      return [
        figure('start', 'API, start to ready', 'ms', took.api, { atMost: 1_000 }),
        figure('start', 'worker, start to ready', 'ms', took.worker),
      ];
    } finally {
      await redis.stop();
    }
  },
};

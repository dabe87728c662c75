import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Policy } from '@sandman/core';
import { type Conditions, simulate } from './simulate.ts';
import type { Trace } from './trace.ts';
import type { SimulationResult } from './usage-counter.ts';

/**
 * The least lines for which threads are used: with fewer, a thread takes longer to start than it saves. A million lines of 16,000
 * sessions under four policies take 7 s in two threads and 12 s in none; of a million sessions, 9 s and 17 s.
 */
const MIN_LINES_FOR_THREADS = 100_000;

/** What a thread receives when it starts. */
export interface ThreadData {
  readonly buffers: Trace['buffers'];
  readonly conditions: Conditions;
}

/**
 * Simulates the trace under each of the policies, in several threads if the trace is long and there are cores.
 *
 * @param ended called after each policy with how many are done
 */
export async function simulateAll(
  trace: Trace,
  policies: readonly Policy[],
  conditions: Conditions,
  ended: (count: number) => void,
): Promise<SimulationResult[]> {
  const threads = trace.lines < MIN_LINES_FOR_THREADS ? 0 : Math.min(availableParallelism(), policies.length);
  const results: SimulationResult[] = [];
  let [next, done] = [0, 0];
  const work = async (run: (policy: Policy) => SimulationResult | Promise<SimulationResult>) => {
    while (next < policies.length) {
      const place = next++;
      results[place] = await run(policies[place]!);
      ended(++done);
    }
  };
  if (threads < 2) await work((policy) => simulate(trace, policy, conditions));
  else await Promise.all(Array.from({ length: threads }, () => inThread({ buffers: trace.buffers, conditions }, work)));
  return results;
}

/** Runs `work` with a thread. The events are shared with it, not copied. */
async function inThread(
  workerData: ThreadData,
  work: (run: (policy: Policy) => Promise<SimulationResult>) => Promise<void>,
): Promise<void> {
  const thread = new Worker(new URL('./simulate-thread.ts', import.meta.url), { workerData });
  try {
    await work(
      (policy) =>
        new Promise((resolve, reject) => {
          thread.removeAllListeners().once('message', resolve).once('error', reject);
          thread.postMessage(policy);
        }),
    );
  } finally {
    await thread.terminate();
  }
}

import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';

/** The clock, random numbers and ids of a real process. */
export const surroundings = {
  elapsed: () => performance.now(),
  every(ms: number, run: () => void) {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
  pause: (ms: number) => setTimeout(ms),
  chance: Math.random,
  id: randomUUID as () => string,
};

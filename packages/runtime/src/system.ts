import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

/** The clock, random numbers and ids of a real process. */
export const system = {
  elapsed: () => performance.now(),
  every(ms: number, run: () => void) {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
  after(ms: number, run: () => void) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  pause: (ms: number) => pause(ms),
  random: Math.random,
  newId: randomUUID as () => string,
};

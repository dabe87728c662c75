/** How often this process looks at the clock, in ms. */
const LOOK_MS = 20;
/** A pause between two looks that lasts longer than this, in ms, is a standstill. */
const STANDSTILL_MS = 100;

/** Tells how long the machine ran. */
export interface RunningTime {
  /** Returns the time between two times without standstills, in ms. Both times are in ms since the epoch. */
  between(from: number, to: number): number;
  /** Ends the watch. */
  stop(): void;
}

/**
 * Notices when this process stands still for over 100 ms, because the machine did (a virtual machine that was paused). Processes under
 * test stand still with it, so a test that holds them to a deadline counts only the time in which the machine ran. A test process mostly
 * waits, so it has no other reason to stand still.
 */
export function watchRunningTime(): RunningTime {
  const standstills: { from: number; to: number }[] = [];
  let last = Date.now();
  const timer = setInterval(() => {
    const now = Date.now();
    if (now - last > STANDSTILL_MS) standstills.push({ from: last, to: now });
    last = now;
  }, LOOK_MS);
  return {
    between: (from, to) =>
      standstills.reduce((ran, still) => ran - Math.max(0, Math.min(to, still.to) - Math.max(from, still.from)), to - from),
    stop: () => clearInterval(timer),
  };
}

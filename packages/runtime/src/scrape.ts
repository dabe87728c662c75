import type { Registry } from 'prom-client';
import { shared } from './shared.ts';

/** How long a scrape waits for what is read from Redis, in ms. */
const PATIENCE_MS = 1_000;

/**
 * Makes the text of `/metrics`, one for all who ask at once. Refreshes first what is read from Redis; where that fails or
 * takes longer than 1 s, the last figures stand.
 *
 * @param refresh each sets some of the metrics
 * @returns a function that answers the text
 */
export function scraper(registry: Registry, refresh: readonly (() => Promise<void>)[]): () => Promise<string> {
  return shared(0, async () => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS);
    });
    await Promise.race([late, Promise.allSettled(refresh.map((run) => run()))]);
    clearTimeout(timer);
    return registry.metrics();
  });
}

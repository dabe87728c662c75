import type { Registry } from 'prom-client';
import { shared } from './shared.ts';

/** How long a scrape waits for readings of Redis, in ms. */
const PATIENCE_MS = 1_000;

/**
 * Makes the text of `/metrics`, once for all requests at the same time. Refreshes the metrics that come from Redis first; if
 * that fails or takes longer than 1 s, they keep their last values.
 *
 * @param refresh functions that each set some of the metrics
 * @returns a function that returns the text
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

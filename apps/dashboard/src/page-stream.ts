import { setTimeout as pause } from 'node:timers/promises';
import { problemOf } from '@sandman/contracts';
import { redisTrouble } from '@sandman/runtime';

/** How often the parts of a page are read again, in ms. */
const POLL_MS = 500;
/** How long a browser should wait before it reconnects, in ms. */
const RECONNECT_MS = 1_000;

/** The parts that a page shows, each with the function that reads it. */
export type PageParts = Readonly<Record<string, () => Promise<unknown>>>;

/**
 * Yields the text of an event stream that keeps a page up to date. Each part is sent as an event with its name, in their order, at
 * first and whenever it has changed. While Redis cannot be reached, it sends `trouble` events. It reads again only after the last
 * text was consumed.
 *
 * @param end ends the stream
 * @param failed called for an unexpected error, once for as long as it lasts
 */
export async function* pageStream(picture: PageParts, end: AbortSignal, failed: (error: unknown) => void): AsyncGenerator<string> {
  const sent = new Map<string, string>();
  const news = (event: string, data: unknown) => {
    const text = JSON.stringify(data);
    if (sent.get(event) === text) return '';
    sent.set(event, text);
    return `event: ${event}\ndata: ${text}\n\n`;
  };
  yield `retry: ${RECONNECT_MS}\n\n`;
  let failing = false;
  while (!end.aborted) {
    const from = performance.now();
    // All parts are read at the same time and sent in order; a slow part delays only those after it.
    const parts = Object.entries(picture).map(([name, read]) =>
      read().then(
        (data) => ({ text: news(name, data), error: null }),
        (error) => ({ text: '', error }),
      ),
    );
    let fault: Error | null = null;
    for (const part of parts) {
      const { text, error } = await part;
      if (text) yield text;
      fault ??= error;
    }
    if (fault) {
      const { code, detail } = problemOf(fault, redisTrouble(fault));
      if (code === 'internal' && !failing) failed(fault);
      // Sent again in each round, because it also shows the page that its stream is alive.
      yield `event: trouble\ndata: ${JSON.stringify(detail)}\n\n`;
    }
    failing = fault !== null;
    // Parts that take long to read are read less often.
    await pause(Math.max(POLL_MS, performance.now() - from), undefined, { signal: end }).catch(() => {});
  }
}

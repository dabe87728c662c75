import { setTimeout as pause } from 'node:timers/promises';
import { problemOf } from '@sandman/contracts';

/** How often a page's picture is looked at anew, in ms. */
const LOOK_MS = 500;
/** After how long a browser should come back, in ms. */
const RETRY_MS = 1_000;

/** What a page shows, each part by its name. */
export type Picture = Readonly<Record<string, () => Promise<unknown>>>;

/**
 * The text of an event stream that keeps a page's picture up to date: each part as an event of its name, in their order,
 * at first and whenever it has changed. While Redis is away it says so, as `trouble`. It looks again only when what it gave was taken.
 *
 * @param end ends it
 * @param failed told of what nobody expects, once for as long as it lasts
 */
export async function* livePicture(picture: Picture, end: AbortSignal, failed: (error: unknown) => void): AsyncGenerator<string> {
  const told = new Map<string, string>();
  const news = (event: string, data: unknown) => {
    const text = JSON.stringify(data);
    if (told.get(event) === text) return '';
    told.set(event, text);
    return `event: ${event}\ndata: ${text}\n\n`;
  };
  yield `retry: ${RETRY_MS}\n\n`;
  let failing = false;
  while (!end.aborted) {
    const from = performance.now();
    // All are asked at once, and each is told when it comes: what is slow keeps nothing waiting but what is after it.
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
      const { code, detail } = problemOf(fault);
      if (code === 'internal' && !failing) failed(fault);
      // Said again and again: it is also what tells the page that its stream lives.
      yield `event: trouble\ndata: ${JSON.stringify(detail)}\n\n`;
    }
    failing = fault !== null;
    // What takes long is asked for less often.
    await pause(Math.max(LOOK_MS, performance.now() - from), undefined, { signal: end }).catch(() => {});
  }
}

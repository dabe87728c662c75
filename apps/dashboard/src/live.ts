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
 */
export async function* livePicture(picture: Picture, end: AbortSignal): AsyncGenerator<string> {
  const told = new Map<string, string>();
  const news = (event: string, data: unknown) => {
    const text = JSON.stringify(data);
    if (told.get(event) === text) return '';
    told.set(event, text);
    return `event: ${event}\ndata: ${text}\n\n`;
  };
  yield `retry: ${RETRY_MS}\n\n`;
  while (!end.aborted) {
    // All are asked at once, and each is told when it comes: what is slow keeps nothing waiting but what is after it.
    const parts = Object.entries(picture).map(([name, read]) =>
      read().then(
        (data) => ({ text: news(name, data), trouble: null }),
        (error) => ({ text: '', trouble: problemOf(error).detail }),
      ),
    );
    let trouble: string | null = null;
    for (const part of parts) {
      const { text, trouble: failed } = await part;
      trouble = failed ?? trouble;
      if (text) yield text;
    }
    // Said again and again: it is also what tells the page that its stream lives.
    if (trouble !== null) yield `event: trouble\ndata: ${JSON.stringify(trouble)}\n\n`;
    await pause(LOOK_MS, undefined, { signal: end }).catch(() => {});
  }
}

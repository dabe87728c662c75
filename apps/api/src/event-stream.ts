import { setTimeout as pause } from 'node:timers/promises';
import { encodePosition, type Position, type RedisJournal, type StatusEvent } from '@sandman/store';

/** How often a stream looks for something new, in ms: as late as an event may be. */
const LOOK_MS = 200;
/** After so long without an event comes a comment, in ms, so that nobody in between takes the stream for dead. */
const SILENCE_MS = 15_000;
/** After how long a client should come back, in ms. */
const RETRY_MS = 1_000;
/** Events read at once, of each shard. */
const PAGE = 500;

function frame({ position, uuid, userId, at, from, to, cause }: StatusEvent): string {
  const data = JSON.stringify({ uuid, userId, at: new Date(at).toISOString(), from: from || null, to, cause });
  return `id: ${encodePosition(position)}\nevent: status\ndata: ${data}\n\n`;
}

/**
 * The text of an event stream. It reads on only when what it gave was taken, so a slow reader costs no memory.
 *
 * @param from where to go on; null: now
 * @param end ends it
 */
export async function* eventStream(journal: RedisJournal, from: Position | null, end: AbortSignal): AsyncGenerator<string> {
  let position = from ?? (await journal.end());
  // An id without an event: whose connection breaks before the first one knows all the same where to go on.
  yield `retry: ${RETRY_MS}\nid: ${encodePosition(position)}\n\n`;
  if (from && !(await journal.isKept(from))) {
    position = await journal.end();
    yield `id: ${encodePosition(position)}\nevent: reset\ndata: {}\n\n`;
  }
  let saidAt = performance.now();
  while (!end.aborted) {
    // While Redis is away nothing happens.
    const events = await journal.after(position, PAGE).catch(() => []);
    for (const event of events) yield frame(event);
    position = events.at(-1)?.position ?? position;
    if (events.length > 0) saidAt = performance.now();
    else if (performance.now() - saidAt > SILENCE_MS) {
      saidAt = performance.now();
      yield ':\n\n';
    }
    if (events.length === 0) await pause(LOOK_MS, undefined, { signal: end }).catch(() => {});
  }
}

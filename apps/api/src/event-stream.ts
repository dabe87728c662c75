import { setTimeout as pause } from 'node:timers/promises';
import { encodePosition, type Position, type RedisJournal, type StatusEvent } from '@sandman/store';

/** How often a stream reads new events, in ms. An event may be late by this much. */
const POLL_MS = 200;
/** After this long without an event a comment is sent, in ms, so that no proxy closes the stream as idle. */
const IDLE_COMMENT_MS = 15_000;
/** How long a client should wait before it reconnects, in ms. */
const RECONNECT_MS = 1_000;
/** Events read at once from each shard. */
const PAGE = 500;

function frame({ position, uuid, userId, at, from, to, cause }: StatusEvent): string {
  const data = JSON.stringify({ uuid, userId, at: new Date(at).toISOString(), from: from || null, to, cause });
  return `id: ${encodePosition(position)}\nevent: status\ndata: ${data}\n\n`;
}

/**
 * Yields the text of an event stream. It reads more events only after the last text was consumed, so a slow reader costs no memory.
 *
 * @param from the position to continue from; null: now
 * @param end ends the stream
 */
export async function* eventStream(journal: RedisJournal, from: Position | null, end: AbortSignal): AsyncGenerator<string> {
  let position = from ?? (await journal.end());
  // Sends an id without an event, so that a client that is disconnected before the first event knows where to continue.
  yield `retry: ${RECONNECT_MS}\nid: ${encodePosition(position)}\n\n`;
  if (from && !(await journal.isKept(from))) {
    position = await journal.end();
    yield `id: ${encodePosition(position)}\nevent: reset\ndata: {}\n\n`;
  }
  let saidAt = performance.now();
  while (!end.aborted) {
    // While Redis cannot be reached there are no events, and the stream stays open.
    const events = await journal.after(position, PAGE).catch(() => []);
    for (const event of events) yield frame(event);
    position = events.at(-1)?.position ?? position;
    if (events.length > 0) saidAt = performance.now();
    else if (performance.now() - saidAt > IDLE_COMMENT_MS) {
      saidAt = performance.now();
      yield ':\n\n';
    }
    if (events.length === 0) await pause(POLL_MS, undefined, { signal: end }).catch(() => {});
  }
}

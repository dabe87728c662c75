import type { Change } from './api-types.ts';
import { backoff, pause, retryAfterMs } from './backoff.ts';
import { SandmanError } from './errors.ts';
import { type Frame, frames } from './frames.ts';
import type { ApiTransport } from './transport.ts';

/** A change of a session's status. */
export interface StatusEvent extends Change {
  type: 'status';
  /** Position of the event, for `after`. */
  id: string;
  uuid: string;
  userId: string;
}

/** Sandman no longer keeps the events after the last one received. A caller that mirrors sessions must read them all again. */
export interface ResetEvent {
  type: 'reset';
  id: string;
}

export type SandmanEvent = StatusEvent | ResetEvent;

export interface EventsOptions {
  /** The `id` of the last event that the caller handled; by default only new events are sent. */
  readonly after?: string | undefined;
  /** Ends the loop. */
  readonly signal?: AbortSignal | undefined;
}

/** A connection without a byte for this long, in ms, counts as broken: Sandman sends something at least every 15 s. */
const SILENCE_MS = 45_000;

function sandmanEventOf({ id, event, data }: Frame): SandmanEvent | null {
  if (event === 'status') return { type: 'status', id, ...JSON.parse(data) };
  return event === 'reset' ? { type: 'reset', id } : null;
}

/** Tells whether a retry cannot succeed. */
function isFinal(error: unknown): boolean {
  return error instanceof SandmanError && (error.status === 400 || error.status === 401);
}

/** @param maxBackoff longest wait between two connections, in ms */
export async function* statusEvents(
  transport: ApiTransport,
  { after = '', signal }: EventsOptions,
  maxBackoff: number,
): AsyncGenerator<SandmanEvent, void, void> {
  if (!/^[\x21-\x7e]*$/.test(after)) throw new TypeError('events: after must be the id of an event');
  let last = after;
  let failures = 0;
  while (!signal?.aborted) {
    let wait = 0;
    try {
      const headers = { accept: 'text/event-stream', ...(last === '' ? {} : { 'last-event-id': last }) };
      const answer = await transport.stream({ method: 'GET', path: '/v1/events', headers, signal });
      for await (const frame of frames(answer, SILENCE_MS)) {
        failures = 0;
        // The first frame holds only the current position, so that nothing is missed if the connection breaks before an event.
        last = frame.id || last;
        const event = sandmanEventOf(frame);
        if (event) yield event;
      }
    } catch (error) {
      if (isFinal(error)) throw error;
      wait = retryAfterMs(error);
    }
    failures += 1;
    await pause(Math.max(wait, backoff(failures, maxBackoff)), signal);
  }
}

import type { TraceEvent } from './line.ts';

/**
 * The events in the order in which those of the same ms are applied: activity comes before a logout, and before a deadline. The
 * order of a trace's lines means nothing.
 */
export const TRACE_EVENT_KINDS = ['user', 'background', 'logout'] as const;

/** Events are packed into one number, time × `SLOTS` + event, so that numeric order is the order in time. It is exact for every `Date`. */
const PACKING_FACTOR = 4;

/** @returns ms since 1970 */
export function unpackTime(packed: number): number {
  return Math.floor(packed / PACKING_FACTOR);
}

export function unpackEvent(packed: number): TraceEvent['event'] {
  return TRACE_EVENT_KINDS[packed % PACKING_FACTOR]!;
}

/** Lines in a block. Blocks are never moved: to double one array, everything would be in memory twice. */
const BLOCK = 1 << 18;

/** Collects the lines of a trace, in 12 bytes each, until all have been read. */
export class TraceBuilder {
  /**
   * The number of each session, in the order of their first lines. Reading 10 million lines takes 0.52 GB with 1,000 sessions,
   * 0.56 GB with 188,000, 0.87 GB with 4 million and 1.7 GB with 10 million. A Map holds 16.7 million keys at most, and then
   * throws a RangeError. A hash table over the uuids' bytes took 0.99 GB for 10 million sessions, and as long for a million
   * lines (docs/decisions/21-a-trace-is-held-in-memory-and-policies-run-in-threads.md).
   */
  #sessions = new Map<string, number>();
  #counts: number[] = [];
  #blocks: { readonly session: Uint32Array; readonly event: Float64Array }[] = [];
  #lines = 0;

  get lines(): number {
    return this.#lines;
  }

  add({ uuid, at, event }: TraceEvent): void {
    let session = this.#sessions.get(uuid);
    if (session === undefined) {
      session = this.#sessions.size;
      this.#sessions.set(uuid, session);
      this.#counts.push(0);
    }
    const place = this.#lines++ % BLOCK;
    if (place === 0) this.#blocks.push({ session: new Uint32Array(BLOCK), event: new Float64Array(BLOCK) });
    const block = this.#blocks.at(-1)!;
    block.session[place] = session;
    block.event[place] = at * PACKING_FACTOR + TRACE_EVENT_KINDS.indexOf(event);
    this.#counts[session]!++;
  }

  /** Sorts by session, then by time; the builder is empty afterwards. */
  build(): Trace {
    const sessions = this.#sessions.size;
    const starts = new Uint32Array(new SharedArrayBuffer(4 * (sessions + 1)));
    for (let session = 0; session < sessions; session++) starts[session + 1] = starts[session]! + this.#counts[session]!;
    this.#sessions = new Map();
    this.#counts = [];
    const events = new Float64Array(new SharedArrayBuffer(8 * this.#lines));
    const next = starts.slice();
    for (let line = 0; line < this.#lines; line++) {
      const { session, event } = this.#blocks[Math.floor(line / BLOCK)]!;
      const of = session[line % BLOCK]!;
      events[next[of]!] = event[line % BLOCK]!;
      next[of]!++;
    }
    this.#blocks = [];
    this.#lines = 0;
    for (let session = 0; session < sessions; session++) {
      const [start, end] = [starts[session]!, starts[session + 1]!];
      if (end - start > 1) events.subarray(start, end).sort();
    }
    return new Trace({ starts, events });
  }
}

/** The events of every session, in the order of time; sessions are numbered in the order of their first lines. */
export class Trace {
  readonly sessions: number;
  /** The times of the earliest and of the latest event, ms since 1970. */
  readonly from: number;
  readonly to: number;
  /** Shared memory, from which a thread can build the same trace. */
  readonly buffers: { readonly starts: Uint32Array; readonly events: Float64Array };

  constructor(buffers: Trace['buffers']) {
    const { starts, events } = buffers;
    this.buffers = buffers;
    this.sessions = starts.length - 1;
    let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let i = 0; i < this.sessions; i++) {
      from = Math.min(from, unpackTime(events[starts[i]!]!));
      to = Math.max(to, unpackTime(events[starts[i + 1]! - 1]!));
    }
    this.from = from;
    this.to = to;
  }

  get lines(): number {
    return this.buffers.events.length;
  }

  /** @returns the events of one session, packed; {@link unpackTime} and {@link unpackEvent} unpack them */
  eventsOf(session: number): Float64Array {
    const { starts, events } = this.buffers;
    return events.subarray(starts[session], starts[session + 1]);
  }
}

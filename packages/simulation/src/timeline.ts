interface TimelineEvent {
  readonly at: number;
  readonly order: number;
  run: (() => void) | null;
}

function isBefore(a: TimelineEvent, b: TimelineEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Virtual time in whole ms: a queue of events in the order in which they happen. */
export class Timeline {
  now: number;
  #order = 0;
  /** A binary heap; the next event comes first. */
  readonly #heap: TimelineEvent[] = [];

  constructor(start: number) {
    this.now = start;
  }

  /** Calls `run` in `ms`. @returns a function that cancels the call */
  in(ms: number, run: () => void): () => void {
    const entry: TimelineEvent = { at: this.now + Math.max(0, Math.ceil(ms)), order: this.#order++, run };
    this.#push(entry);
    return () => {
      entry.run = null;
    };
  }

  /** Moves the time to the next event and runs it. @returns false if there is none */
  step(): boolean {
    for (;;) {
      const entry = this.#pop();
      if (!entry) return false;
      if (!entry.run) continue;
      this.now = entry.at;
      entry.run();
      return true;
    }
  }

  #push(entry: TimelineEvent): void {
    const heap = this.#heap;
    let i = heap.length;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): TimelineEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

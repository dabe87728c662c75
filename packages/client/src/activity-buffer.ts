import type { ActivityKind } from './api-types.ts';

/** The newest activity of one kind of one session, or of one user. */
export interface Activity {
  readonly subject: { readonly uuid: string } | { readonly userId: string };
  readonly kind: ActivityKind;
  /** When it happened, in ms of the epoch. */
  readonly at: number;
}

interface BufferEntry {
  readonly activity: Activity;
  /** Higher than that of every earlier place. */
  readonly number: number;
}

function activityKey({ subject, kind }: Activity): string {
  return 'uuid' in subject ? `${kind} uuid ${subject.uuid}` : `${kind} user ${subject.userId}`;
}

/**
 * Holds the activity that waits for delivery, in the order in which it began to wait. Newer activity of the same session or
 * user takes the place of the older one; at the end of the queue, a busy session would never be sent. Activity that is being
 * sent stays in the buffer until it has arrived, so a failed call loses nothing.
 */
export class ActivityBuffer {
  readonly #most: number;
  readonly #entries = new Map<string, BufferEntry>();
  /** Keys in the order of their last activity, the oldest first. */
  readonly #recency = new Set<string>();
  #lastNumber = 0;

  /** @param most how many activities the buffer holds at most */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Returns the number of the newest place. */
  get last(): number {
    return this.#lastNumber;
  }

  /** Tells whether anything waits at this place or an earlier one. */
  waitsUpTo(number: number): boolean {
    const [first] = this.#entries.values();
    return first !== undefined && first.number <= number;
  }

  /** @returns what was evicted because the buffer is full: the activity of the session or user that was silent for longest */
  add(activity: Activity): Activity | null {
    const key = activityKey(activity);
    const known = this.#entries.get(key);
    this.#entries.set(key, { activity, number: known?.number ?? ++this.#lastNumber });
    this.#recency.delete(key);
    this.#recency.add(key);
    return this.#entries.size > this.#most ? this.#evict() : null;
  }

  #evict(): Activity {
    const [oldest] = this.#recency;
    const { activity } = this.#entries.get(oldest!)!;
    this.#remove(oldest!);
    return activity;
  }

  #remove(key: string): void {
    this.#entries.delete(key);
    this.#recency.delete(key);
  }

  /** Iterates over what waits, the longest waiting first. */
  *[Symbol.iterator](): Generator<Activity> {
    for (const { activity } of this.#entries.values()) yield activity;
  }

  /**
   * Removes activity that has arrived or been given up. A session or user with newer activity since then moves to the end of
   * the queue.
   *
   * @returns those that were still in the buffer
   */
  settle(activities: Iterable<Activity>): Activity[] {
    const settled: Activity[] = [];
    for (const activity of activities) {
      const key = activityKey(activity);
      const place = this.#entries.get(key);
      if (!place) continue;
      settled.push(activity);
      this.#entries.delete(key);
      if (place.activity === activity) this.#recency.delete(key);
      else this.#entries.set(key, { ...place, number: ++this.#lastNumber });
    }
    return settled;
  }
}

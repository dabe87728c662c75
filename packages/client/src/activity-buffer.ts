import type { ActivityKind } from './api-types.ts';

/** The newest activity of one kind of one session, or of one user. */
export interface Activity {
  readonly subject: { readonly uuid: string } | { readonly userId: string };
  readonly kind: ActivityKind;
  /** When it happened, ms of the epoch. */
  readonly at: number;
}

interface Place {
  readonly activity: Activity;
  /** Grows from place to place. */
  readonly number: number;
}

function keyOf({ subject, kind }: Activity): string {
  return 'uuid' in subject ? `${kind} uuid ${subject.uuid}` : `${kind} user ${subject.userId}`;
}

/**
 * Activity that waits for delivery, in the order in which it began to wait: newer activity of the same session takes the
 * older one's place, or a busy session would be overtaken for ever. What is under way stays until it has arrived, so that
 * a failure changes nothing.
 */
export class ActivityBuffer {
  readonly #most: number;
  readonly #places = new Map<string, Place>();
  /** Keys by their last activity. */
  readonly #recency = new Set<string>();
  #drawn = 0;

  /** @param most activities at once */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#places.size;
  }

  /** The last place given. */
  get last(): number {
    return this.#drawn;
  }

  /** Whether anything waits at this place or an earlier one. */
  waitsUpTo(number: number): boolean {
    const [first] = this.#places.values();
    return first !== undefined && first.number <= number;
  }

  /** @returns what had to go for it: the session that was silent for longest */
  add(activity: Activity): Activity | null {
    const key = keyOf(activity);
    const known = this.#places.get(key);
    this.#places.set(key, { activity, number: known?.number ?? ++this.#drawn });
    this.#recency.delete(key);
    this.#recency.add(key);
    return this.#places.size > this.#most ? this.#evict() : null;
  }

  #evict(): Activity {
    const [oldest] = this.#recency;
    const { activity } = this.#places.get(oldest!)!;
    this.#remove(oldest!);
    return activity;
  }

  #remove(key: string): void {
    this.#places.delete(key);
    this.#recency.delete(key);
  }

  /** What waits, longest first. */
  *[Symbol.iterator](): Generator<Activity> {
    for (const { activity } of this.#places.values()) yield activity;
  }

  /**
   * Takes out what arrived, or never will; what happened again meanwhile waits anew.
   *
   * @returns those that were still here
   */
  settle(activities: Iterable<Activity>): Activity[] {
    const settled: Activity[] = [];
    for (const activity of activities) {
      const key = keyOf(activity);
      const place = this.#places.get(key);
      if (!place) continue;
      settled.push(activity);
      this.#places.delete(key);
      if (place.activity === activity) this.#recency.delete(key);
      else this.#places.set(key, { ...place, number: ++this.#drawn });
    }
    return settled;
  }
}

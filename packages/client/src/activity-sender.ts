import { type Activity, ActivityBuffer } from './activity-buffer.ts';
import type { BatchAnswer } from './api-types.ts';
import { backoff, retryAfterMs } from './backoff.ts';
import type { DroppedEvent, Drops } from './drops.ts';
import { SandmanError } from './errors.ts';
import type { ClientSettings } from './options.ts';
import type { ApiTransport } from './transport.ts';

/** Limits of one call. The API takes 1,000 events and 1 MB; a character (UTF-16 unit) is at most 3 bytes. */
const BATCH_EVENTS = 1_000;
const BATCH_CHARACTERS = 250_000;
/**
 * Activity younger than this, in ms, is sent without its time, so it counts from when it arrives. With this machine's time,
 * a clock that is behind would make an active user look long idle.
 */
const SENT_WITHOUT_TIME_MS = 1_000;
export interface ActivityStats {
  /** Sessions and users whose activity waits or is being sent. */
  readonly buffered: number;
  /** Activity that Sandman accepted; that of one session within one batch counts once. */
  readonly sent: number;
  readonly dropped: number;
}

/** A caller of `flush`, which waits until all activity up to a place has left the buffer. */
interface Waiter {
  readonly upTo: number;
  readonly go: () => void;
}

function eventOfActivity({ subject, kind, at }: Activity): DroppedEvent {
  return { ...subject, kind, at: new Date(at).toISOString() };
}

/** Returns an activity as the API takes it. */
function requestEvent(activity: Activity, now: number) {
  const { at, ...event } = eventOfActivity(activity);
  return now - activity.at < SENT_WITHOUT_TIME_MS ? event : { ...event, at };
}

/** Delivers activity in the background: in batches, one call at a time, with retries. Never throws. */
export class ActivitySender {
  readonly #transport: ApiTransport;
  readonly #bounds: ClientSettings['activity'];
  readonly #drops: Drops;
  readonly #buffer: ActivityBuffer;
  readonly #closing = new AbortController();
  #waiters: Waiter[] = [];
  #timer: NodeJS.Timeout | null = null;
  /** Whether the timer was set without `flushAfter`, the wait for further activity. */
  #hurried = false;
  #sending = false;
  #sent = 0;
  #failures = 0;
  /** The earliest time of the next call, in ms of the monotonic clock. */
  #notBefore = 0;

  constructor(transport: ApiTransport, bounds: ClientSettings['activity'], drops: Drops) {
    this.#transport = transport;
    this.#bounds = bounds;
    this.#drops = drops;
    this.#buffer = new ActivityBuffer(bounds.maxBuffered);
  }

  stats(): ActivityStats {
    return { buffered: this.#buffer.size, sent: this.#sent, dropped: this.#drops.total };
  }

  add(activity: Activity): void {
    if (this.#closing.signal.aborted) {
      this.#drop('closed', [activity]);
      return;
    }
    const gone = this.#buffer.add(activity);
    if (gone) this.#drop('full', [gone]);
    this.#schedule();
  }

  /** Resolves when all activity that waits now has arrived or been given up. */
  flush(): Promise<void> {
    const upTo = this.#buffer.last;
    if (!this.#buffer.waitsUpTo(upTo)) return Promise.resolve();
    return new Promise((go) => {
      this.#waiters.push({ upTo, go });
      this.#schedule();
    });
  }

  /** Gives up what waits, aborts the call in flight, and reports later activity as dropped. */
  close(): void {
    this.#closing.abort();
    this.#unset();
    this.#drop('closed', this.#buffer.settle([...this.#buffer]));
    this.#schedule();
  }

  #drop(reason: string, activities: readonly Activity[]): void {
    this.#drops.report({ count: activities.length, reason, events: activities.map(eventOfActivity) });
  }

  /** Resolves the flushes that are complete, and sets the timer of the next call if activity waits. */
  #schedule(): void {
    this.#waiters = this.#waiters.filter(({ upTo, go }) => {
      if (this.#buffer.waitsUpTo(upTo)) return true;
      go();
      return false;
    });
    if (this.#sending || this.#buffer.size === 0) return;
    const awaited = this.#waiters.length > 0;
    const hurried = awaited || this.#buffer.size >= BATCH_EVENTS;
    if (this.#timer === null || (hurried && !this.#hurried)) {
      this.#unset();
      const wait = Math.max(hurried ? 0 : this.#bounds.flushAfter, this.#notBefore - performance.now());
      this.#timer = setTimeout(() => this.#send(), wait);
      this.#hurried = hurried;
    }
    // The timer keeps the process alive only while a `flush` waits for it.
    if (awaited) this.#timer.ref?.();
    else this.#timer.unref?.();
  }

  #unset(): void {
    clearTimeout(this.#timer ?? undefined);
    this.#timer = null;
  }

  async #send(): Promise<void> {
    this.#timer = null;
    this.#sending = true;
    const tooOld = Date.now() - this.#bounds.maxAge;
    this.#drop('too-old', this.#buffer.settle([...this.#buffer].filter(({ at }) => at < tooOld)));
    const batch = this.#batch();
    if (batch.length > 0) await this.#deliver(batch);
    this.#sending = false;
    this.#schedule();
  }

  #batch(): Activity[] {
    const batch: Activity[] = [];
    let characters = 0;
    for (const activity of this.#buffer) {
      characters += JSON.stringify(eventOfActivity(activity)).length;
      if (batch.length === BATCH_EVENTS || characters > BATCH_CHARACTERS) break;
      batch.push(activity);
    }
    return batch;
  }

  async #deliver(batch: readonly Activity[]): Promise<void> {
    const now = Date.now();
    try {
      const { rejected } = await this.#transport.json<BatchAnswer>({
        method: 'POST',
        path: '/v1/activity',
        body: { events: batch.map((activity) => requestEvent(activity, now)) },
        signal: this.#closing.signal,
      });
      this.#failures = 0;
      const refused = new Map(rejected.map(({ index, code }) => [index, code]));
      const arrived = batch.filter((_, index) => !refused.has(index));
      this.#sent += this.#buffer.settle(arrived).length;
      for (const reason of new Set(refused.values())) {
        this.#drop(reason, this.#buffer.settle(batch.filter((_, index) => refused.get(index) === reason)));
      }
    } catch (error) {
      this.#failed(error, batch);
    }
  }

  #failed(error: unknown, batch: readonly Activity[]): void {
    if (this.#closing.signal.aborted) return;
    if (error instanceof SandmanError && !error.transient) {
      // A repeated call would be refused again.
      this.#failures = 0;
      this.#drop(error.code, this.#buffer.settle(batch));
      return;
    }
    this.#failures += 1;
    this.#drops.warn(error instanceof SandmanError ? error.code : 'unexpected-answer');
    this.#notBefore = performance.now() + Math.max(retryAfterMs(error), backoff(this.#failures, this.#bounds.maxBackoff));
  }
}

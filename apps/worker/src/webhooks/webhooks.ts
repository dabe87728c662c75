import { type Session, sessionView, type WebhookEvent, type WebhookType } from '@sandman/contracts';
import { deadlines, type SessionRecord, statusOf } from '@sandman/core';
import { repeat } from '@sandman/lifecycle';
import { DeliveryQueue } from '@sandman/queue';
import { type Logger, type Metrics, surroundings } from '@sandman/runtime';
import { EventGroup, type RedisSessionStore, type TakenEvent } from '@sandman/store';
import type { Cluster, Redis } from 'ioredis';
import type { Receiver } from './receiver.ts';

const GROUP = 'webhooks';
/** How often a worker looks for something new, in ms: as late as a change is told. */
const LOOK_MS = 200;
/** Events taken at once, of each shard. */
const PAGE = 100;
/** Deliveries at once, of one worker. A receiver that is down holds up these, and nothing else. */
const CONCURRENCY = 10;
/** Not delivered yet, of all workers: what is more stays in the events' stream, which is capped, and Redis does not fill up. */
const MOST_WAITING = 10_000;

export interface WebhooksOptions {
  readonly redis: Redis | Cluster;
  readonly prefix: string;
  readonly shards: number;
  readonly store: RedisSessionStore;
  readonly receiver: Receiver;
  /** How long before a sleep its warning goes out, in ms. */
  readonly warning: number;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

type ChangeType = Exclude<WebhookType, 'session.sleep-warning'>;

/** What waits for its delivery. Times in ms. */
type Notice =
  /** Of a sleep that may be off by then: only the record knows. */
  | { readonly type: 'session.sleep-warning'; readonly at: number; readonly uuid: string; readonly sleepAt: number }
  | { readonly type: ChangeType; readonly at: number; readonly session: Session; readonly cause: string };

function typeOf({ from, to, cause }: TakenEvent): ChangeType | null {
  if (to === 'sleeping') return 'session.slept';
  if (to === 'active') return from === 'waking' ? 'session.woken' : null;
  if (to === 'deleted') return cause === 'gone' ? 'session.gone' : 'session.deleted';
  return null;
}

/** Tells whoever listens at `WEBHOOK_URL` what happens to sessions, and before it does. */
export class Webhooks {
  readonly #on: WebhooksOptions;
  readonly #group: EventGroup;
  readonly #queue: DeliveryQueue<Notice>;
  readonly #stopPassing: () => Promise<void>;
  #joined = false;

  constructor(options: WebhooksOptions) {
    this.#on = options;
    const { redis, prefix, shards, metrics, logger } = options;
    this.#group = new EventGroup(redis, { prefix, shards, group: GROUP, reader: surroundings.id() });
    this.#queue = new DeliveryQueue({
      connection: redis,
      prefix,
      concurrency: CONCURRENCY,
      deliver: (id, notice) => this.#deliver(id, notice),
      gaveUp: (id, { type }) => {
        metrics.webhooks.inc({ type, outcome: 'gave-up' });
        logger.error({ webhook: id, type }, 'a webhook was refused for a day, and is given up');
      },
      onError: (err) => logger.warn({ err }, 'queue'),
    });
    this.#stopPassing = repeat(
      surroundings,
      LOOK_MS,
      () => this.#pass(),
      (err) => logger.warn({ err }, 'webhooks wait'),
    );
  }

  /** How many are not delivered yet. */
  backlog(): Promise<number> {
    return this.#queue.size();
  }

  /** Has somebody warned that the session will fall asleep at `sleepAt`, ms; dropped where too much waits already. */
  async warn({ uuid }: SessionRecord, sleepAt: number): Promise<void> {
    const type = 'session.sleep-warning';
    if ((await this.#queue.size()) >= MOST_WAITING) this.#on.metrics.webhooks.inc({ type, outcome: 'dropped' });
    else await this.#queue.add(`warning-${uuid}-${sleepAt}`, type, { type, at: sleepAt - this.#on.warning, uuid, sleepAt });
  }

  /** Takes what happened out of the events, one delivery each. Answers in how many ms it should be called again, where there is more. */
  async #pass(): Promise<number | undefined> {
    if (!this.#joined) await this.#group.join();
    this.#joined = true;
    if ((await this.#queue.size()) >= MOST_WAITING) return;
    const events = await this.#group.take(PAGE).catch((error) => {
      // Redis has forgotten the group, perhaps.
      this.#joined = false;
      throw error;
    });
    await Promise.all(events.map((event) => this.#tell(event)));
    return events.length < PAGE ? undefined : 0;
  }

  async #tell(event: TakenEvent): Promise<void> {
    const { shard, id, uuid, at, cause } = event;
    const type = typeOf(event);
    const { record, now } = type ? await this.#on.store.read(uuid) : { record: null, now: 0 };
    // A record that is forgotten already, a day after its delete, is nobody's any more.
    if (type && record) await this.#queue.add(`event-${shard}-${id}`, type, { type, at, session: sessionView(record, now), cause });
    await this.#group.done(event);
  }

  async #deliver(id: string, notice: Notice): Promise<void> {
    const { receiver, metrics, logger } = this.#on;
    const { type } = notice;
    try {
      const event = await this.#eventOf(notice);
      if (event) await receiver.post(id, event);
      metrics.webhooks.inc({ type, outcome: event ? 'delivered' : 'void' });
    } catch (error) {
      metrics.webhooks.inc({ type, outcome: 'failed' });
      logger.warn({ webhook: id, type, reason: (error as Error).message }, 'a webhook was not taken, and is tried again');
      throw error;
    }
  }

  /** Null where there is nothing to tell any more: somebody came, or it sleeps already. */
  async #eventOf(notice: Notice): Promise<WebhookEvent | null> {
    const { type } = notice;
    const timestamp = new Date(notice.at).toISOString();
    if (type !== 'session.sleep-warning') return { type, timestamp, data: { session: notice.session, cause: notice.cause } };
    const { record, now } = await this.#on.store.read(notice.uuid);
    const due = record && statusOf(record) === 'active' && deadlines(record).sleepAt === notice.sleepAt && now < notice.sleepAt;
    return due ? { type, timestamp, data: { session: sessionView(record, now) } } : null;
  }

  /** Takes no more, and waits for those on their way. */
  async close(): Promise<void> {
    await this.#stopPassing();
    await this.#queue.close();
  }
}

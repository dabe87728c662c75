import { sessionView, type WebhookType } from '@sandman/contracts';
import { deadlines, type SessionRecord, statusOf } from '@sandman/core';
import { repeat } from '@sandman/lifecycle';
import { type Delivery, DeliveryQueue } from '@sandman/queue';
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

function typeOf({ from, to, cause }: TakenEvent): WebhookType | null {
  if (to === 'sleeping') return 'session.slept';
  if (to === 'active') return from === 'waking' ? 'session.woken' : null;
  if (to === 'deleted') return cause === 'gone' ? 'session.gone' : 'session.deleted';
  return null;
}

/** Tells whoever listens at `WEBHOOK_URL` what happens to sessions, and before it does. */
export class Webhooks {
  readonly #on: WebhooksOptions;
  readonly #group: EventGroup;
  readonly #queue: DeliveryQueue;
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
      deliver: (id, delivery) => this.#deliver(id, delivery),
      gaveUp: (_, { type, uuid }) => {
        metrics.webhooks.inc({ type, outcome: 'gave-up' });
        logger.error({ session: uuid, type }, 'a webhook was refused for a day, and is given up');
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
    if ((await this.#queue.size()) >= MOST_WAITING)
      return this.#on.metrics.webhooks.inc({ type: 'session.sleep-warning', outcome: 'dropped' });
    await this.#queue.add(`warning-${uuid}-${sleepAt}`, { type: 'session.sleep-warning', at: sleepAt - this.#on.warning, uuid, sleepAt });
  }

  /** Takes what happened out of the events, one delivery each. */
  async #pass(): Promise<void> {
    if (!this.#joined) await this.#group.join();
    this.#joined = true;
    if ((await this.#queue.size()) >= MOST_WAITING) return;
    const events = await this.#group.take(PAGE).catch((error) => {
      // Redis has forgotten the group, perhaps.
      this.#joined = false;
      throw error;
    });
    for (const event of events) {
      await this.#tell(event);
      await this.#group.done(event);
    }
  }

  async #tell(event: TakenEvent): Promise<void> {
    const { shard, id, uuid, at, cause } = event;
    const type = typeOf(event);
    if (!type) return;
    const { record, now } = await this.#on.store.read(uuid);
    // Forgotten already, a day after its delete: nobody can say what it was.
    if (record) await this.#queue.add(`event-${shard}-${id}`, { type, at, uuid, session: sessionView(record, now), cause });
  }

  async #deliver(id: string, delivery: Delivery): Promise<void> {
    const { receiver, metrics, logger, store } = this.#on;
    const { type, uuid, at, sleepAt, session, cause } = delivery as Delivery & { sleepAt?: number };
    const told = { type: type as WebhookType, timestamp: new Date(at).toISOString() };
    try {
      if (sleepAt === undefined) await receiver.post(id, { ...told, data: { session, cause } as never });
      else {
        const { record, now } = await store.read(uuid);
        // Somebody came, or it is too late.
        const due = record && statusOf(record) === 'active' && deadlines(record).sleepAt === sleepAt && now < sleepAt;
        if (!due) return metrics.webhooks.inc({ type, outcome: 'void' });
        await receiver.post(id, { ...told, data: { session: sessionView(record, now) } });
      }
      metrics.webhooks.inc({ type, outcome: 'delivered' });
    } catch (error) {
      metrics.webhooks.inc({ type, outcome: 'failed' });
      logger.warn({ session: uuid, type, reason: (error as Error).message }, 'a webhook was not taken, and is tried again');
      throw error;
    }
  }

  /** Takes no more, and waits for those on their way. */
  async close(): Promise<void> {
    await this.#stopPassing();
    await this.#queue.close();
  }
}

import { type Session, sessionView, WEBHOOK_TYPES, type WebhookEvent, type WebhookType } from '@sandman/contracts';
import { deadlines, type SessionRecord, statusOf } from '@sandman/core';
import { repeat } from '@sandman/lifecycle';
import { DeliveryQueue } from '@sandman/queue';
import { counter, type Logger, type Metrics, surroundings } from '@sandman/runtime';
import { EventGroup, type RedisJournal, type RedisSessionStore, type TakenEvent } from '@sandman/store';
import type { Cluster, Redis } from 'ioredis';
import type { Receiver } from './receiver.ts';

const GROUP = 'webhooks';
/** How often a worker reads new events, in ms. A webhook may be late by this much. */
const LOOK_MS = 200;
/** Events taken at once from one shard. */
const PAGE = 100;
/** Deliveries at the same time by one worker. A receiver that is down blocks only these. */
const CONCURRENCY = 10;
/** The most undelivered webhooks of all workers. Further events stay in the event stream, which is capped, so Redis cannot fill up. */
const MOST_WAITING = 10_000;
/** The limit for warnings. It is higher, because during a backlog of old changes warnings are still useful. */
const MOST_WITH_WARNINGS = 11_000;
/** How long the alarm of a sleep waits until its warning is queued, in ms: the queue may be in a shard that cannot be reached. */
const HAND_OVER_MS = 1_000;

/** How a try ends: accepted, no longer due, failed, failed for a day, or a warning dropped so that it does not delay the sleep. */
const OUTCOMES = ['delivered', 'void', 'failed', 'gave-up', 'dropped'] as const;

export interface WebhooksOptions {
  readonly redis: Redis | Cluster;
  readonly prefix: string;
  readonly shards: number;
  readonly store: RedisSessionStore;
  readonly journal: RedisJournal;
  readonly receiver: Receiver;
  /** How long before a sleep its warning is sent, in ms. */
  readonly warning: number;
  readonly metrics: Pick<Metrics, 'registry'>;
  readonly logger: Logger;
}

type ChangeType = Exclude<WebhookType, 'session.sleep-warning'>;

/** A webhook that waits for its delivery. Times in ms. */
type Notice =
  /** A warning holds no session: the sleep may be postponed before the delivery, so the record is read then. */
  | { readonly type: 'session.sleep-warning'; readonly at: number; readonly uuid: string; readonly sleepAt: number }
  | { readonly type: ChangeType; readonly at: number; readonly session: Session; readonly cause: string };

function typeOf({ from, to, cause }: TakenEvent): ChangeType | null {
  // An empty `from` means that the record was restored from the ledger: the pod was asleep already.
  if (to === 'sleeping') return from === '' ? null : 'session.slept';
  if (to === 'active') return from === 'waking' ? 'session.woken' : null;
  if (to === 'deleted') return cause === 'gone' ? 'session.gone' : 'session.deleted';
  return null;
}

/** Sends webhooks to `WEBHOOK_URL` about changes of status, and warnings before idle sleeps. */
export class Webhooks {
  readonly #on: WebhooksOptions;
  readonly #queue: DeliveryQueue<Notice>;
  readonly #tries: ReturnType<typeof counter<'type' | 'outcome'>>;
  readonly #rounds: readonly (() => Promise<void>)[];
  /** Undelivered webhooks when last counted, plus the events taken since. */
  #waiting = 0;

  constructor(options: WebhooksOptions) {
    this.#on = options;
    const { redis, prefix, shards, metrics, logger } = options;
    this.#tries = counter(metrics.registry, {
      name: 'sandman_webhooks_total',
      help: 'Tries to tell the receiver of webhooks something, by how they ended',
      labels: { type: WEBHOOK_TYPES, outcome: OUTCOMES },
    });
    this.#queue = new DeliveryQueue({
      connection: redis,
      prefix,
      concurrency: CONCURRENCY,
      deliver: (id, notice) => this.#deliver(id, notice),
      gaveUp: (id, { type }) => {
        this.#tries.inc({ type, outcome: 'gave-up' });
        logger.error({ webhook: id, type }, 'a webhook was refused for a day, and is given up');
      },
      onError: (err) => logger.warn({ err }, 'queue'),
    });
    const failed = (err: unknown) => logger.warn({ err }, 'webhooks wait for Redis');
    const reader = surroundings.id();
    const groups = Array.from({ length: shards }, (_, shard) => new EventGroup(redis, { prefix, shard, group: GROUP, reader }));
    const count = async () => {
      this.#waiting = await this.#queue.size();
    };
    // Each shard has its own loop, so that one that cannot be reached does not delay the others.
    this.#rounds = [
      repeat(surroundings, LOOK_MS, count, failed),
      ...groups.map((group, shard) => repeat(surroundings, LOOK_MS, () => this.#pass(group, shard), failed)),
    ];
  }

  /** Returns how many webhooks are not delivered yet. */
  backlog(): Promise<number> {
    return this.#queue.size();
  }

  /** Queues a warning that the session will be put to sleep at `sleepAt`, in ms. Drops it if the queue is full or takes over 1 s. */
  async warn({ uuid }: SessionRecord, sleepAt: number): Promise<void> {
    const type = 'session.sleep-warning';
    const notice = { type, at: sleepAt - this.#on.warning, uuid, sleepAt } as const;
    const full = this.#waiting >= MOST_WITH_WARNINGS;
    const handed = full ? false : this.#queue.add(`warning-${uuid}-${sleepAt}`, type, notice).then(() => true);
    const late = surroundings.pause(HAND_OVER_MS).then(() => false);
    if (!(await Promise.race([handed, late]))) this.#tries.inc({ type, outcome: 'dropped' });
  }

  /**
   * Takes events of one shard and queues a delivery for each.
   *
   * @returns 0 if there may be more: call it again at once; else undefined
   */
  async #pass(group: EventGroup, shard: number): Promise<number | undefined> {
    const room = Math.ceil((MOST_WAITING - this.#waiting) / this.#on.shards);
    if (room <= 0) return;
    const limit = Math.min(PAGE, room);
    const events = await group.take(limit);
    this.#waiting += events.length;
    await Promise.all(
      events.map(async (event) => {
        await this.#tell(event, shard);
        await group.done(event);
      }),
    );
    return events.length < limit ? undefined : 0;
  }

  async #tell(event: TakenEvent, shard: number): Promise<void> {
    const { id, uuid, at, cause } = event;
    const type = typeOf(event);
    if (!type || (type === 'session.woken' && !(await this.#slept(event)))) return;
    const { record, now } = await this.#on.store.read(uuid);
    // Without a record the session was deleted more than 24 h ago; nothing is sent.
    if (record) await this.#queue.add(`event-${shard}-${id}`, type, { type, at, session: sessionView(record, now), cause });
  }

  /** Whether the pod was asleep before the wake. A session in doubt, or restored, is woken to be sure, though its pod may be awake. */
  async #slept({ uuid, at }: TakenEvent): Promise<boolean> {
    const changes = await this.#on.journal.history(uuid);
    const woken = changes.findIndex((change) => change.to === 'active' && change.at === at);
    const from = changes[woken + 1]?.from;
    return from !== 'active' && from !== '';
  }

  async #deliver(id: string, notice: Notice): Promise<void> {
    const { receiver, logger } = this.#on;
    const { type } = notice;
    try {
      const event = await this.#eventOf(notice);
      if (event) await receiver.post(id, event);
      this.#tries.inc({ type, outcome: event ? 'delivered' : 'void' });
    } catch (error) {
      this.#tries.inc({ type, outcome: 'failed' });
      logger.warn({ webhook: id, type, reason: (error as Error).message }, 'a webhook was not taken, and is tried again');
      throw error;
    }
  }

  /** Makes the body; null for a warning that is no longer due, because the sleep was postponed or its time has passed. */
  async #eventOf(notice: Notice): Promise<WebhookEvent | null> {
    const { type } = notice;
    const timestamp = new Date(notice.at).toISOString();
    if (type !== 'session.sleep-warning') return { type, timestamp, data: { session: notice.session, cause: notice.cause } };
    const { record, now } = await this.#on.store.read(notice.uuid);
    const due = record && statusOf(record) === 'active' && deadlines(record).sleepAt === notice.sleepAt && now < notice.sleepAt;
    return due ? { type, timestamp, data: { session: sessionView(record, now) } } : null;
  }

  /** Stops taking events, and waits for the deliveries in progress. */
  async close(): Promise<void> {
    await Promise.all(this.#rounds.map((stop) => stop()));
    await this.#queue.close();
  }
}

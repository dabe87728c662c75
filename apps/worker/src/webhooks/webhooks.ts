import { type Session, sessionView, WEBHOOK_TYPES, type WebhookEvent, type WebhookType } from '@sandman/contracts';
import { deadlines, hasGrace, isSameDelete, type SessionRecord, statusOf } from '@sandman/core';
import { type RoundEnd, repeat } from '@sandman/lifecycle';
import { DeliveryQueue } from '@sandman/queue';
import { counter, type Logger, type Metrics, system } from '@sandman/runtime';
import { EventGroup, type RedisJournal, type RedisSessionStore, type TakenEvent } from '@sandman/store';
import type { Cluster, Redis } from 'ioredis';
import type { WebhookClient } from './webhook-client.ts';

const GROUP = 'webhooks';
/** How often a worker reads new events, in ms. A webhook may be late by this much. */
const POLL_MS = 200;
/** Events taken at once from one shard. */
const PAGE = 100;
/** Deliveries at the same time by one worker. A receiver that is down blocks only these. */
const CONCURRENCY = 10;
/** The most undelivered webhooks of all workers. Further events stay in the event stream, which is capped, so Redis cannot fill up. */
const MOST_UNDELIVERED = 10_000;
/** The limit for warnings. It is higher, because during a backlog of old changes warnings are still useful. */
const MOST_UNDELIVERED_WARNINGS = 11_000;
/** How long the alarm of a sleep waits until its warning is queued, in ms: the queue may be in a shard that cannot be reached. */
const QUEUE_WARNING_MS = 1_000;

/** How a try ends: accepted, no longer due, failed, failed for a day, or a warning dropped so that it does not delay the sleep. */
const DELIVERY_OUTCOMES = ['delivered', 'void', 'failed', 'gave-up', 'dropped'] as const;

export interface WebhooksOptions {
  readonly redis: Redis | Cluster;
  readonly prefix: string;
  readonly shards: number;
  readonly store: RedisSessionStore;
  readonly journal: RedisJournal;
  readonly client: WebhookClient;
  /** How long before a sleep and a delete their warnings are sent, in ms. */
  readonly warnings: Readonly<Record<WarnedAction, number>>;
  readonly metrics: Pick<Metrics, 'registry'>;
  readonly logger: Logger;
}

/** What a warning comes before. */
type WarnedAction = 'sleep' | 'delete';
type WarningType = `session.${WarnedAction}-warning`;
type ChangeType = Exclude<WebhookType, WarningType>;

/** A webhook that waits for its delivery. Times in ms. */
type PendingWebhook =
  /** A warning holds no session: what it warns of may be postponed before the delivery, so the record is read then. */
  | ({ readonly at: number; readonly uuid: string } & (
      | { readonly type: 'session.sleep-warning'; readonly sleepAt: number }
      | { readonly type: 'session.delete-warning'; readonly deleteAt: number }
    ))
  | { readonly type: ChangeType; readonly at: number; readonly session: Session; readonly cause: string };

function webhookTypeOf({ from, to, cause }: TakenEvent): ChangeType | null {
  // An empty `from` means that the record was restored from the ledger: the pod was asleep already.
  if (to === 'sleeping') return from === '' ? null : 'session.slept';
  if (to === 'active') return from === 'waking' ? 'session.woken' : null;
  if (to === 'deleted') return cause === 'gone' ? 'session.gone' : 'session.deleted';
  return null;
}

/** Whether what a warning says is still going to happen. */
function isStillDue(record: SessionRecord, notice: Extract<PendingWebhook, { type: WarningType }>, now: number): boolean {
  const { sleepAt, deleteAt } = deadlines(record);
  if (notice.type === 'session.sleep-warning') return statusOf(record) === 'active' && sleepAt === notice.sleepAt && now < sleepAt;
  if (deleteAt === null || record.wanted === 'gone' || hasGrace(record)) return false;
  return now < deleteAt && isSameDelete(record.intake, deleteAt, notice.deleteAt);
}

/** Sends webhooks to `WEBHOOK_URL` about changes of status, and warnings before idle sleeps and deletes. */
export class Webhooks {
  readonly #options: WebhooksOptions;
  readonly #queue: DeliveryQueue<PendingWebhook>;
  readonly #tries: ReturnType<typeof counter<'type' | 'outcome'>>;
  readonly #rounds: readonly (() => Promise<void>)[];
  /** Undelivered webhooks when last counted, plus the events taken since. */
  #waiting = 0;

  constructor(options: WebhooksOptions) {
    this.#options = options;
    const { redis, prefix, shards, metrics, logger } = options;
    this.#tries = counter(metrics.registry, {
      name: 'sandman_webhooks_total',
      help: 'Tries to tell the receiver of webhooks something, by how they ended',
      labels: { type: WEBHOOK_TYPES, outcome: DELIVERY_OUTCOMES },
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
    const reader = system.newId();
    const groups = Array.from({ length: shards }, (_, shard) => new EventGroup(redis, { prefix, shard, group: GROUP, reader }));
    const count = async () => {
      this.#waiting = await this.#queue.size();
    };
    // Each shard has its own loop, so that one that cannot be reached does not delay the others.
    this.#rounds = [
      repeat(system, POLL_MS, count, failed),
      ...groups.map((group, shard) => repeat(system, POLL_MS, () => this.#takeEvents(group, shard), failed)),
    ];
  }

  /** Returns how many webhooks are not delivered yet. */
  backlog(): Promise<number> {
    return this.#queue.size();
  }

  /** Queues a warning that the session will sleep or be deleted at `due`, in ms. Drops it if the queue is full or takes over 1 s. */
  async warn({ uuid }: SessionRecord, of: WarnedAction, due: number): Promise<void> {
    const at = due - this.#options.warnings[of];
    const notice: PendingWebhook =
      of === 'sleep'
        ? { type: 'session.sleep-warning', at, uuid, sleepAt: due }
        : { type: 'session.delete-warning', at, uuid, deleteAt: due };
    const { type } = notice;
    const full = this.#waiting >= MOST_UNDELIVERED_WARNINGS;
    const id = of === 'sleep' ? `warning-${uuid}-${due}` : `delete-warning-${uuid}-${due}`;
    const handed = full ? false : this.#queue.add(id, type, notice).then(() => true);
    const late = system.pause(QUEUE_WARNING_MS).then(() => false);
    if (!(await Promise.race([handed, late]))) this.#tries.inc({ type, outcome: 'dropped' });
  }

  /**
   * Takes events of one shard and queues a delivery for each.
   *
   * @returns that it is to be called again at once, if there may be more
   */
  async #takeEvents(group: EventGroup, shard: number): Promise<RoundEnd> {
    const room = Math.ceil((MOST_UNDELIVERED - this.#waiting) / this.#options.shards);
    if (room <= 0) return;
    const limit = Math.min(PAGE, room);
    const events = await group.take(limit);
    this.#waiting += events.length;
    await Promise.all(
      events.map(async (event) => {
        await this.#queueEvent(event, shard);
        await group.done(event);
      }),
    );
    return events.length < limit ? undefined : { again: 0 };
  }

  async #queueEvent(event: TakenEvent, shard: number): Promise<void> {
    const { id, uuid, at, cause } = event;
    const type = webhookTypeOf(event);
    if (!type || (type === 'session.woken' && !(await this.#wasAsleep(event)))) return;
    const { record, now } = await this.#options.store.read(uuid);
    // Without a record the session was deleted more than 24 h ago; nothing is sent.
    if (record) await this.#queue.add(`event-${shard}-${id}`, type, { type, at, session: sessionView(record, now), cause });
  }

  /** Whether the pod was asleep before the wake. A session in doubt, or restored, is woken to be sure, though its pod may be awake. */
  async #wasAsleep({ uuid, at }: TakenEvent): Promise<boolean> {
    const changes = await this.#options.journal.history(uuid);
    const woken = changes.findIndex((change) => change.to === 'active' && change.at === at);
    const from = changes[woken + 1]?.from;
    return from !== 'active' && from !== '';
  }

  async #deliver(id: string, notice: PendingWebhook): Promise<void> {
    const { client, logger } = this.#options;
    const { type } = notice;
    try {
      const event = await this.#eventOf(notice);
      if (event) await client.post(id, event);
      this.#tries.inc({ type, outcome: event ? 'delivered' : 'void' });
    } catch (error) {
      this.#tries.inc({ type, outcome: 'failed' });
      logger.warn({ webhook: id, type, reason: (error as Error).message }, 'a webhook was not taken, and is tried again');
      throw error;
    }
  }

  /** Makes the body; null for a warning that is no longer due, because its deadline has moved or passed. */
  async #eventOf(notice: PendingWebhook): Promise<WebhookEvent | null> {
    const { type } = notice;
    const timestamp = new Date(notice.at).toISOString();
    if ('session' in notice) return { type, timestamp, data: { session: notice.session, cause: notice.cause } };
    const { record, now } = await this.#options.store.read(notice.uuid);
    return record && isStillDue(record, notice, now) ? { type, timestamp, data: { session: sessionView(record, now) } } : null;
  }

  /** Stops taking events, and waits for the deliveries in progress. */
  async close(): Promise<void> {
    await Promise.all(this.#rounds.map((stop) => stop()));
    await this.#queue.close();
  }
}

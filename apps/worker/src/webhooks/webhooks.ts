import { type Session, sessionView, WEBHOOK_TYPES, type WebhookEvent, type WebhookType } from '@sandman/contracts';
import { deadlines, type SessionRecord, statusOf } from '@sandman/core';
import { repeat } from '@sandman/lifecycle';
import { DeliveryQueue } from '@sandman/queue';
import { counter, type Logger, type Metrics, surroundings } from '@sandman/runtime';
import { EventGroup, type RedisJournal, type RedisSessionStore, type TakenEvent } from '@sandman/store';
import type { Cluster, Redis } from 'ioredis';
import type { Receiver } from './receiver.ts';

const GROUP = 'webhooks';
/** How often a worker looks for something new, in ms: as late as a change is told. */
const LOOK_MS = 200;
/** Events taken at once, of a shard. */
const PAGE = 100;
/** Deliveries at once, of one worker. A receiver that is down holds up these, and nothing else. */
const CONCURRENCY = 10;
/** Not delivered yet, of all workers: what is more stays in the events' stream, which is capped, and Redis does not fill up. */
const MOST_WAITING = 10_000;
/** Warnings may go beyond: while old changes are made up for, they are what is still of use. */
const MOST_WITH_WARNINGS = 11_000;
/** How long a sleep's alarm waits for its warning to be handed over, in ms: their queue may be in a shard that is away. */
const HAND_OVER_MS = 1_000;

/** How a try ends: taken, not due any more, refused, refused for a day, or a warning that held up its sleep. */
const OUTCOMES = ['delivered', 'void', 'failed', 'gave-up', 'dropped'] as const;

export interface WebhooksOptions {
  readonly redis: Redis | Cluster;
  readonly prefix: string;
  readonly shards: number;
  readonly store: RedisSessionStore;
  readonly journal: RedisJournal;
  readonly receiver: Receiver;
  /** How long before a sleep its warning goes out, in ms. */
  readonly warning: number;
  readonly metrics: Pick<Metrics, 'registry'>;
  readonly logger: Logger;
}

type ChangeType = Exclude<WebhookType, 'session.sleep-warning'>;

/** What waits for its delivery. Times in ms. */
type Notice =
  /** Of a sleep that may be off by then: only the record knows. */
  | { readonly type: 'session.sleep-warning'; readonly at: number; readonly uuid: string; readonly sleepAt: number }
  | { readonly type: ChangeType; readonly at: number; readonly session: Session; readonly cause: string };

function typeOf({ from, to, cause }: TakenEvent): ChangeType | null {
  // Whose record came back from the ledger asleep has been asleep all the while.
  if (to === 'sleeping') return from === '' ? null : 'session.slept';
  if (to === 'active') return from === 'waking' ? 'session.woken' : null;
  if (to === 'deleted') return cause === 'gone' ? 'session.gone' : 'session.deleted';
  return null;
}

/** Tells whoever listens at `WEBHOOK_URL` what happens to sessions, and before it does. */
export class Webhooks {
  readonly #on: WebhooksOptions;
  readonly #queue: DeliveryQueue<Notice>;
  readonly #tries: ReturnType<typeof counter<'type' | 'outcome'>>;
  readonly #rounds: readonly (() => Promise<void>)[];
  /** As it was last counted. */
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
    const failed = (err: unknown) => logger.warn({ err }, 'webhooks wait');
    const reader = surroundings.id();
    const groups = Array.from({ length: shards }, (_, shard) => new EventGroup(redis, { prefix, shard, group: GROUP, reader }));
    const count = async () => {
      this.#waiting = await this.#queue.size();
    };
    // Each shard has a round of its own: one that is away holds up none of the others.
    this.#rounds = [
      repeat(surroundings, LOOK_MS, count, failed),
      ...groups.map((group, shard) => repeat(surroundings, LOOK_MS, () => this.#pass(group, shard), failed)),
    ];
  }

  /** How many are not delivered yet. */
  backlog(): Promise<number> {
    return this.#queue.size();
  }

  /** Has somebody warned that the session will fall asleep at `sleepAt`, ms; or nobody, where that would hold up the sleep. */
  async warn({ uuid }: SessionRecord, sleepAt: number): Promise<void> {
    const type = 'session.sleep-warning';
    const notice = { type, at: sleepAt - this.#on.warning, uuid, sleepAt } as const;
    const full = this.#waiting >= MOST_WITH_WARNINGS;
    const handed = full ? false : this.#queue.add(`warning-${uuid}-${sleepAt}`, type, notice).then(() => true);
    const late = surroundings.pause(HAND_OVER_MS).then(() => false);
    if (!(await Promise.race([handed, late]))) this.#tries.inc({ type, outcome: 'dropped' });
  }

  /** Takes what happened out of the events, one delivery each. Answers in how many ms it should be called again, where there is more. */
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
    // A record that is forgotten already, a day after its delete, is nobody's any more.
    if (record) await this.#queue.add(`event-${shard}-${id}`, type, { type, at, session: sessionView(record, now), cause });
  }

  /** Whether a wake woke it: a session in doubt, or from the ledger, is woken to be sure, and was awake all the while. */
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
    await Promise.all(this.#rounds.map((stop) => stop()));
    await this.#queue.close();
  }
}

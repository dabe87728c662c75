import type { ActivityTime, AskedPolicy, Change, HoldEnd, Session, SessionPage, Status } from './api-types.ts';
import { asked, backoff, pause } from './backoff.ts';
import { SandmanError } from './errors.ts';
import type { CreateBounds, Settings } from './options.ts';
import type { Transport } from './transport.ts';

export interface ListFilter {
  readonly userId?: string | undefined;
  /** Deleted ones are listed for `deleted` only. */
  readonly status?: Status | undefined;
}

/** A time for the wire; what is malformed goes as it is, and is refused with its field's name. */
function time(value: Date | string): string {
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : String(value);
}

/** How often a create is tried at most, and the longest wait between two tries, in ms, unless Sandman asks for more. */
const CREATE_TRIES = 3;
const CREATE_BACKOFF_MS = 5_000;

/** Tells whether a create may go through when it is repeated: no answer came, or a gateway error, or Sandman was not ready. */
function mayBeRepeated(error: unknown): boolean {
  return error instanceof SandmanError && (error.status === null || [502, 503, 504].includes(error.status));
}

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000 };

/** The longest that a wake may wait for, in ms; what is malformed will be refused at once. */
function waitMs(wait: string): number {
  const [, count, unit] = /^(\d+)(ms|s|m)?$/.exec(wait) ?? [];
  return Number(count ?? 0) * (UNITS[unit ?? 'ms'] ?? 0);
}

/** Sessions one by one. Each call throws a `SandmanError` when it did not do what it was to do. */
export class Sessions {
  readonly #transport: Transport;
  readonly #timeout: number;
  readonly #create: CreateBounds;

  constructor(transport: Transport, { timeout, create }: Pick<Settings, 'timeout' | 'create'>) {
    this.#transport = transport;
    this.#timeout = timeout;
    this.#create = create;
  }

  #call<T = Session>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', uuid: string, below = '', body?: object): Promise<T> {
    return this.#transport.json({ method, path: `/v1/sessions/${encodeURIComponent(uuid)}${below}`, body });
  }

  /**
   * Makes a pod for a user, and a session of it. Where no answer comes, or a 502, 503 or 504, it tries again under the same
   * key, at most three times in all and within the time-out.
   *
   * @param idempotencyKey goes to the session-manager, which makes one pod of all creates with the same key if it honours
   * keys; one of its own for each call by default
   */
  async create(
    fields: { userId: string; policy?: AskedPolicy | undefined },
    { idempotencyKey = crypto.randomUUID() }: { idempotencyKey?: string | undefined } = {},
  ): Promise<Session> {
    const headers = { 'idempotency-key': idempotencyKey };
    const end = performance.now() + this.#create.timeout;
    for (let tries = 1; ; tries++) {
      const timeout = Math.ceil(Math.min(this.#create.attempt, end - performance.now()));
      try {
        return await this.#transport.json<Session>({ method: 'POST', path: '/v1/sessions', body: fields, headers, timeout });
      } catch (error) {
        const wait = Math.max(asked(error), backoff(tries, CREATE_BACKOFF_MS));
        if (tries === CREATE_TRIES || !mayBeRepeated(error) || performance.now() + wait >= end) throw error;
        await pause(wait);
      }
    }
  }

  /** Tracks a pod that somebody else made. Again is harmless, counts as activity, and keeps what is left out. */
  adopt(uuid: string, fields: { userId: string; workspaceUrl?: string | undefined; policy?: AskedPolicy | undefined }): Promise<Session> {
    return this.#call('PUT', uuid, '', fields);
  }

  get(uuid: string): Promise<Session> {
    return this.#call('GET', uuid);
  }

  /** One page. @param page `limit` from 1 to 1,000 (100); `cursor` from the page before */
  list(page: ListFilter & { readonly limit?: number | undefined; readonly cursor?: string | undefined } = {}): Promise<SessionPage> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(page)) if (value !== undefined) query.set(name, String(value));
    return this.#transport.json({ method: 'GET', path: `/v1/sessions?${query}` });
  }

  /** All of them, page after page. */
  async *all({ userId, status }: ListFilter = {}): AsyncGenerator<Session, void, void> {
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await this.list({ userId, status, cursor, limit: 1_000 });
      yield* page.items;
      cursor = page.nextCursor;
    }
  }

  /** Another policy, from now on. */
  setPolicy(uuid: string, policy: AskedPolicy): Promise<Session> {
    return this.#call('PATCH', uuid, '', { policy });
  }

  /** Activity, with the session that it left behind for an answer. `SandmanClient.activity` is for where nobody waits for one. */
  activity(uuid: string, { at, kind }: ActivityTime = {}): Promise<Session> {
    return this.#call('POST', uuid, '/activity', { ...(at === undefined ? {} : { at: time(at) }), kind });
  }

  /** Puts to sleep now. */
  sleep(uuid: string): Promise<Session> {
    return this.#call('POST', uuid, '/sleep');
  }

  /** @param options `wait`, such as `30s` and at most `120s`: answers when it is awake, or after that, whichever comes first */
  wake(uuid: string, { wait }: { wait?: string | undefined } = {}): Promise<Session> {
    const path = `/v1/sessions/${encodeURIComponent(uuid)}/wake`;
    if (wait === undefined) return this.#transport.json({ method: 'POST', path });
    const timeout = this.#timeout + waitMs(wait);
    return this.#transport.json({ method: 'POST', path: `${path}?wait=${encodeURIComponent(wait)}`, timeout });
  }

  /** Keeps awake until then, activity or not. */
  hold(uuid: string, end: HoldEnd): Promise<Session> {
    return this.#call('POST', uuid, '/hold', 'until' in end ? { until: time(end.until) } : end);
  }

  endHold(uuid: string): Promise<Session> {
    return this.#call('DELETE', uuid, '/hold');
  }

  /** Deletes pod and data, now and for good. */
  delete(uuid: string): Promise<Session> {
    return this.#call('DELETE', uuid);
  }

  /** Its last 20 changes, newest first. */
  async history(uuid: string): Promise<Change[]> {
    return (await this.#call<{ items: Change[] }>('GET', uuid, '/history')).items;
  }
}

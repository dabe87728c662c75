import type { Change, Duration, Session, SessionPage, Status } from './api-types.ts';
import { backoff, pause, retryAfterMs } from './backoff.ts';
import { SandmanError } from './errors.ts';
import type { ActivityTime, AskedPolicy, DeleteOptions, HoldEnd, KeepEnd } from './inputs.ts';
import type { ClientSettings, CreateBounds } from './options.ts';
import type { ApiTransport } from './transport.ts';

export interface ListFilter {
  readonly userId?: string | undefined;
  /** Deleted sessions are listed only with `deleted`. */
  readonly status?: Status | undefined;
}

/** Formats a time for the API. A malformed one is sent as it is; the API refuses it and names the field. */
function time(value: Date | string): string {
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : String(value);
}

/** Returns the body of a hold or a keep. */
function span(end: HoldEnd | KeepEnd): { for: Duration } | { until: string } {
  return 'until' in end ? { until: time(end.until) } : end;
}

/** Writes a query; parameters that are undefined are left out. */
function query(parameters: object): string {
  const written = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) written.set(name, String(value));
  return written.size === 0 ? '' : `?${written}`;
}

/** Most tries of a create, and the longest wait between two, in ms; a `Retry-After` may ask for more. */
const CREATE_TRIES = 3;
const CREATE_BACKOFF_MS = 5_000;

/** Tells whether a repeated create may succeed: no answer came, a gateway failed, or Sandman was not ready. */
function mayBeRepeated(error: unknown): boolean {
  return error instanceof SandmanError && (error.status === null || [502, 503, 504].includes(error.status));
}

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000 };

/** Returns the time that a wake may wait, in ms; 0 for a malformed one, which the API refuses at once. */
function waitMs(wait: string): number {
  const [, count, unit] = /^(\d+)(ms|s|m)?$/.exec(wait) ?? [];
  return Number(count ?? 0) * (UNITS[unit ?? 'ms'] ?? 0);
}

/** Calls about single sessions. Each throws a `SandmanError` if it failed. */
export class Sessions {
  readonly #transport: ApiTransport;
  readonly #timeout: number;
  readonly #create: CreateBounds;

  constructor(transport: ApiTransport, { timeout, create }: Pick<ClientSettings, 'timeout' | 'create'>) {
    this.#transport = transport;
    this.#timeout = timeout;
    this.#create = create;
  }

  #call<T = Session>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', uuid: string, below = '', body?: object): Promise<T> {
    return this.#transport.json({ method, path: `/v1/sessions/${encodeURIComponent(uuid)}${below}`, body });
  }

  /**
   * Creates a pod for a user, and its session. If no answer comes, or a 502, 503 or 504, it tries again with the same key, at
   * most three times in all and within the time-out.
   *
   * @param idempotencyKey passed to the session-manager. One that honours keys creates a single pod for all creates with the
   * same key. By default each call has a new key
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
        const wait = Math.max(retryAfterMs(error), backoff(tries, CREATE_BACKOFF_MS));
        if (tries === CREATE_TRIES || !mayBeRepeated(error) || performance.now() + wait >= end) throw error;
        await pause(wait);
      }
    }
  }

  /** Tracks a pod that another service created. A repeated call counts as activity, and keeps the fields that it leaves out. */
  adopt(uuid: string, fields: { userId: string; workspaceUrl?: string | undefined; policy?: AskedPolicy | undefined }): Promise<Session> {
    return this.#call('PUT', uuid, '', fields);
  }

  get(uuid: string): Promise<Session> {
    return this.#call('GET', uuid);
  }

  /** Lists one page of sessions. @param page `limit` from 1 to 1,000 (100); `cursor` from the page before */
  list(page: ListFilter & { readonly limit?: number | undefined; readonly cursor?: string | undefined } = {}): Promise<SessionPage> {
    return this.#transport.json({ method: 'GET', path: `/v1/sessions${query(page)}` });
  }

  /** Yields all sessions that match, and reads page after page. */
  async *all({ userId, status }: ListFilter = {}): AsyncGenerator<Session, void, void> {
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await this.list({ userId, status, cursor, limit: 1_000 });
      yield* page.items;
      cursor = page.nextCursor;
    }
  }

  /** Changes the policy of a session. */
  setPolicy(uuid: string, policy: AskedPolicy): Promise<Session> {
    return this.#call('PATCH', uuid, '', { policy });
  }

  /** Reports activity and returns the session after it. To report without waiting for the answer use `SandmanClient.activity`. */
  activity(uuid: string, { at, kind }: ActivityTime = {}): Promise<Session> {
    return this.#call('POST', uuid, '/activity', { ...(at === undefined ? {} : { at: time(at) }), kind });
  }

  /** Puts the session to sleep now. */
  sleep(uuid: string): Promise<Session> {
    return this.#call('POST', uuid, '/sleep');
  }

  /** Wakes the session. @param options `wait`, such as `30s`, at most `120s`: the answer comes once it is awake, or after this time */
  wake(uuid: string, { wait }: { wait?: string | undefined } = {}): Promise<Session> {
    const path = `/v1/sessions/${encodeURIComponent(uuid)}/wake`;
    if (wait === undefined) return this.#transport.json({ method: 'POST', path });
    const timeout = this.#timeout + waitMs(wait);
    return this.#transport.json({ method: 'POST', path: `${path}?wait=${encodeURIComponent(wait)}`, timeout });
  }

  /** Keeps the session awake until the given end, with or without activity. */
  hold(uuid: string, end: HoldEnd): Promise<Session> {
    return this.#call('POST', uuid, '/hold', span(end));
  }

  endHold(uuid: string): Promise<Session> {
    return this.#call('DELETE', uuid, '/hold');
  }

  /** Protects the session from deletion until the given end: neither idleness nor a logout deletes it. It still sleeps when idle. */
  keep(uuid: string, end: KeepEnd): Promise<Session> {
    return this.#call('POST', uuid, '/keep', span(end));
  }

  /** Ends the keep. A delete that became due during the keep is done at once. */
  endKeep(uuid: string): Promise<Session> {
    return this.#call('DELETE', uuid, '/keep');
  }

  /**
   * Deletes the pod and its data for good: now, or after `grace`. During the grace the pod sleeps, and its user's return cancels
   * the delete.
   *
   * @throws SandmanError `kept` if the session is kept, unless `force` is set
   */
  delete(uuid: string, { grace, force }: DeleteOptions = {}): Promise<Session> {
    return this.#call('DELETE', uuid, query({ grace, force }));
  }

  /** Returns the last 20 changes of status, newest first. */
  async history(uuid: string): Promise<Change[]> {
    return (await this.#call<{ items: Change[] }>('GET', uuid, '/history')).items;
  }
}

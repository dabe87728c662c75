import { randomUUID } from 'node:crypto';
import type { Call as CallName } from '@sandman/core';
import { Agent, type Dispatcher } from 'undici';
import { type Connection, Connections, Leaving, sharedLookup } from './connections.ts';
import { Unanswered } from './unanswered.ts';

export interface TransportOptions {
  /** Where the session-manager is; a path in it precedes every call's. */
  readonly url: string;
  readonly apiKey: string;
  /** `SESSION_MANAGER_TIMEOUT`, ms: bounds a lifecycle call as a whole. */
  readonly timeout: number;
  /** `CHAT_TIMEOUT`, ms: bounds the time until a chat's headers, and each gap in its answer; by default `timeout`. */
  readonly chatTimeout?: number;
  /** Told of every call once: its name, the HTTP status or `timeout` or `error`, and how long it took (of a chat: until the headers). */
  readonly onResult?: (call: CallName, status: number | string, seconds: number) => void;
}

export interface Call {
  readonly name: CallName;
  readonly method: Dispatcher.HttpMethod;
  readonly path: string;
  /** Sent as JSON; a Buffer is JSON already. */
  readonly body?: unknown;
  readonly idempotencyKey: string;
}

/** Timers take no more, and fire at once beyond it. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A lifecycle answer is a few hundred bytes; what is longer is none of ours, and must not fill the memory. */
const LONGEST_ANSWER_BYTES = 65_536;

/** @throws Error on an answer that is too long, or breaks */
async function text(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LONGEST_ANSWER_BYTES) throw new Error(`the answer is longer than ${LONGEST_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Settles when the signal does: undici leaves a request that waits for a socket pending though its signal is aborted. */
function abortable<T>(request: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return request;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    request.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Tells that a request is sent: undici starts one when it has a socket and is about to write. Before that, nothing left this process. */
const watch: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  const { onSent } = (options as { opaque?: unknown }).opaque as Watched;
  const start = handler.onRequestStart?.bind(handler);
  handler.onRequestStart = (controller, context) => {
    start?.(controller, context);
    onSent();
  };
  return dispatch(options, handler);
};

interface Watched {
  readonly onSent: () => void;
}

interface TransportAnswer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly body: string;
}

/** A connection for one lifecycle call, or the reason why there is none. */
export interface Line {
  /**
   * Makes the call, on the open connection, and lets go of that.
   *
   * @param signal ends it
   * @throws Unanswered, also where the connection could not be opened
   */
  send(call: Call, signal: AbortSignal): Promise<TransportAnswer>;
  /** Lets go of the connection without a call. */
  release(): void;
}

/** One HTTP exchange at a time on each socket, never repeated, and known to have been sent or not. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #origin: string;
  readonly #prefix: string;
  readonly #timeout: number;
  readonly #lifecycle: Connections;
  /** Chats last as long as pods talk; on sockets of their own, as many as it takes, they keep no lifecycle call waiting. */
  readonly #chats: Dispatcher;

  constructor(options: TransportOptions) {
    const url = new URL(options.url);
    this.#options = options;
    this.#origin = url.origin;
    this.#prefix = url.pathname.replace(/\/+$/, '');
    this.#timeout = Math.min(options.timeout, LONGEST_TIMER_MS);
    this.#lifecycle = new Connections(url, this.#timeout);
    const chatTimeout = Math.min(options.chatTimeout ?? options.timeout, LONGEST_TIMER_MS);
    const bounds = {
      headersTimeout: chatTimeout,
      bodyTimeout: chatTimeout,
      connect: { timeout: chatTimeout, lookup: sharedLookup() },
    };
    // Over HTTP/2, which is undici's default with TLS, it sends refused streams again by itself.
    this.#chats = new Agent({ allowH2: false, pipelining: 1, ...bounds }).compose(watch);
  }

  /** A signal that ends a lifecycle call at its time-out. */
  timeout(): AbortSignal {
    return AbortSignal.timeout(this.#timeout);
  }

  /** Opens a connection for one lifecycle call, which may take as long as the time-out. Null after {@link leave}. Never rejects. */
  async open(): Promise<Line | null> {
    try {
      return this.#lineOn(await this.#lifecycle.take());
    } catch (error) {
      if (error instanceof Leaving) return null;
      const fail = async () => {
        throw error;
      };
      return { send: (call) => this.#observed(call, fail), release: () => {} };
    }
  }

  #lineOn(connection: Connection): Line {
    const agent = connection.client.compose(watch);
    let held = true;
    const release = () => {
      if (held) this.#lifecycle.release(connection);
      held = false;
    };
    return {
      release,
      send: (call, signal) =>
        this.#observed(call, async (onSent) => {
          const { statusCode, headers, body } = await this.#request(agent, call, onSent, signal);
          return { status: statusCode, headers, body: await text(body) };
        }).finally(release),
    };
  }

  /**
   * Makes a call whose answer is read as it comes. Its body may break, or be given up, before it is read: that is no error of
   * the process's.
   *
   * @throws Unanswered
   */
  stream(call: Call, signal: AbortSignal | undefined): Promise<{ status: number } & Pick<Dispatcher.ResponseData, 'headers' | 'body'>> {
    return this.#observed(call, async (onSent) => {
      const { statusCode, headers, body } = await this.#request(this.#chats, call, onSent, signal);
      body.on('error', () => {});
      return { status: statusCode, headers, body };
    });
  }

  /** Opens no more connections for lifecycle calls; who waits for one gets none. */
  leave(): void {
    this.#lifecycle.leave();
  }

  /** Cuts what is still in flight. */
  async close(): Promise<void> {
    await Promise.all([this.#lifecycle.close(), this.#chats.destroy()]);
  }

  async #observed<T extends { status: number }>({ name }: Call, exchange: (onSent: () => void) => Promise<T>): Promise<T> {
    const from = performance.now();
    const observe = (status: number | string) => this.#options.onResult?.(name, status, (performance.now() - from) / 1_000);
    let sent = false;
    let answer: T;
    try {
      answer = await exchange(() => {
        sent = true;
      });
    } catch (error) {
      const unanswered = new Unanswered(error, sent);
      observe(unanswered.timedOut ? 'timeout' : 'error');
      throw unanswered;
    }
    observe(answer.status);
    return answer;
  }

  #request(agent: Dispatcher, call: Call, onSent: () => void, signal?: AbortSignal): Promise<Dispatcher.ResponseData<Watched>> {
    const json = call.body === undefined ? null : Buffer.isBuffer(call.body) ? call.body : JSON.stringify(call.body);
    const watched: Watched = { onSent };
    const request = agent.request({
      opaque: watched,
      origin: this.#origin,
      path: this.#prefix + call.path,
      method: call.method,
      headers: {
        'x-api-key': this.#options.apiKey,
        'x-request-id': randomUUID(),
        'idempotency-key': call.idempotencyKey,
        ...(json === null ? {} : { 'content-type': 'application/json' }),
      },
      body: json,
      ...(signal ? { signal } : {}),
    });
    return abortable(request, signal);
  }
}

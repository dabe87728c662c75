import { randomUUID } from 'node:crypto';
import type { CallName } from '@sandman/core';
import { Agent, type Dispatcher } from 'undici';
import { type Connection, ConnectionPool, Draining, sharedLookup } from './connection-pool.ts';
import { Unanswered } from './unanswered.ts';

export interface TransportOptions {
  /** Base URL of the session-manager; its path is put before the path of each call. */
  readonly url: string;
  readonly apiKey: string;
  /** `SESSION_MANAGER_TIMEOUT`, ms: bounds a lifecycle call as a whole. */
  readonly timeout: number;
  /** `CHAT_TIMEOUT`, ms: bounds the time until the headers of a chat's answer, and each gap in its body; by default `timeout`. */
  readonly chatTimeout?: number;
  /** Called once for each call with the HTTP status, `timeout` or `error`, and the duration in s (of a chat: until the headers). */
  readonly onResult?: (call: CallName, status: number | string, seconds: number) => void;
}

export interface HttpCall {
  readonly name: CallName;
  readonly method: Dispatcher.HttpMethod;
  readonly path: string;
  /** Is sent as JSON; a Buffer must contain JSON. */
  readonly body?: unknown;
  readonly idempotencyKey: string;
}

/** The longest time of a Node timer; a timer with a longer one fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The longest answer that is read. Answers to lifecycle calls have a few hundred bytes; a wrong server must not fill the memory. */
const LONGEST_ANSWER_BYTES = 65_536;

/** Reads an answer's body. @throws Error where it is too long, or the connection breaks */
async function readBody(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LONGEST_ANSWER_BYTES) throw new Error(`the answer is longer than ${LONGEST_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Rejects as soon as the signal is aborted: undici leaves a request that waits for a socket pending. */
function abortable<T>(request: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return request;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    request.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Calls `onSent` when undici has a socket and is about to write the request. Before that, nothing has left this process. */
const sentInterceptor: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  const { onSent } = (options as { opaque?: unknown }).opaque as SentListener;
  const start = handler.onRequestStart?.bind(handler);
  handler.onRequestStart = (controller, context) => {
    start?.(controller, context);
    onSent();
  };
  return dispatch(options, handler);
};

interface SentListener {
  readonly onSent: () => void;
}

interface TransportAnswer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly body: string;
}

/** A connection for one lifecycle call, or the error with which it could not be opened. */
export interface SingleCallConnection {
  /**
   * Makes the call on the open connection, and releases the connection.
   *
   * @param signal ends the call
   * @throws Unanswered, also where the connection could not be opened
   */
  send(call: HttpCall, signal: AbortSignal): Promise<TransportAnswer>;
  /** Releases the connection without a call. */
  release(): void;
}

/** Makes HTTP calls: one at a time on each socket, never repeated, and each error says whether the request may have been sent. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #origin: string;
  readonly #prefix: string;
  readonly #timeout: number;
  readonly #lifecycle: ConnectionPool;
  /** Chats may last long. They have sockets of their own, without a limit, so that no lifecycle call waits for them. */
  readonly #chats: Dispatcher;

  constructor(options: TransportOptions) {
    const url = new URL(options.url);
    this.#options = options;
    this.#origin = url.origin;
    this.#prefix = url.pathname.replace(/\/+$/, '');
    this.#timeout = Math.min(options.timeout, LONGEST_TIMER_MS);
    this.#lifecycle = new ConnectionPool(url, this.#timeout);
    const chatTimeout = Math.min(options.chatTimeout ?? options.timeout, LONGEST_TIMER_MS);
    const bounds = {
      headersTimeout: chatTimeout,
      bodyTimeout: chatTimeout,
      connect: { timeout: chatTimeout, lookup: sharedLookup() },
    };
    // Over HTTP/2, its default with TLS, undici repeats refused streams by itself, but a call must never be repeated.
    this.#chats = new Agent({ allowH2: false, pipelining: 1, ...bounds }).compose(sentInterceptor);
  }

  /** Returns a signal that ends a lifecycle call at its time-out. */
  timeout(): AbortSignal {
    return AbortSignal.timeout(this.#timeout);
  }

  /** Gets a connection for one lifecycle call, within the time-out; null where none is idle after {@link drain}. Never rejects. */
  async open(): Promise<SingleCallConnection | null> {
    try {
      return this.#lineOn(await this.#lifecycle.take());
    } catch (error) {
      if (error instanceof Draining) return null;
      const fail = async () => {
        throw error;
      };
      return { send: (call) => this.#observed(call, fail), release: () => {} };
    }
  }

  #lineOn(connection: Connection): SingleCallConnection {
    const agent = connection.client.compose(sentInterceptor);
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
          return { status: statusCode, headers, body: await readBody(body) };
        }).finally(release),
    };
  }

  /**
   * Makes a call whose answer is streamed. If the body breaks, or is destroyed before it is read, its `error` event does not
   * end the process.
   *
   * @throws Unanswered
   */
  stream(call: HttpCall, signal: AbortSignal | undefined): Promise<{ status: number } & Pick<Dispatcher.ResponseData, 'headers' | 'body'>> {
    return this.#observed(call, async (onSent) => {
      const { statusCode, headers, body } = await this.#request(this.#chats, call, onSent, signal);
      body.on('error', () => {});
      return { status: statusCode, headers, body };
    });
  }

  /** Opens no more connections for lifecycle calls; callers that wait for one get null. */
  drain(): void {
    this.#lifecycle.drain();
  }

  /** Breaks off the calls that are still in flight. */
  async close(): Promise<void> {
    await Promise.all([this.#lifecycle.close(), this.#chats.destroy()]);
  }

  async #observed<T extends { status: number }>({ name }: HttpCall, exchange: (onSent: () => void) => Promise<T>): Promise<T> {
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

  #request(agent: Dispatcher, call: HttpCall, onSent: () => void, signal?: AbortSignal): Promise<Dispatcher.ResponseData<SentListener>> {
    const json = call.body === undefined ? null : Buffer.isBuffer(call.body) ? call.body : JSON.stringify(call.body);
    const watched: SentListener = { onSent };
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

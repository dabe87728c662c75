import { randomUUID } from 'node:crypto';
import { Agent, type Dispatcher } from 'undici';
import { Unanswered } from './unanswered.ts';

export interface TransportOptions {
  /** Where the session-manager is; a path in it precedes every call's. */
  readonly url: string;
  readonly apiKey: string;
  /** `SESSION_MANAGER_TIMEOUT`, ms: bounds a lifecycle call as a whole, of a chat the headers and each gap. */
  readonly timeout: number;
  /** The pool's width for lifecycle calls. At least the concurrency: a call must not wait for a socket after its commit. */
  readonly connections: number;
  /** Told of every call once: its name, the HTTP status or `timeout` or `error`, and how long it took (of a chat: until the headers). */
  readonly onResult?: (call: string, status: number | string, seconds: number) => void;
}

export interface Call {
  readonly name: string;
  readonly method: Dispatcher.HttpMethod;
  readonly path: string;
  readonly body?: unknown;
  readonly idempotencyKey: string;
}

/** Timers take no more, and fire at once beyond it. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A lifecycle call whose socket takes longer to open is not sent: whoever decided on it looks again. In ms. */
const CONNECT_MS = 1_000;

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

/** Who wants to know when a request is sent, and by when that must be. */
interface Watched {
  readonly onSent: () => void;
  readonly sendBy: number;
}

/** undici starts a request when it has a socket and is about to write: before that, nothing left this process. */
const watch: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  const { onSent, sendBy } = (options as { opaque?: unknown }).opaque as Watched;
  const start = handler.onRequestStart?.bind(handler);
  handler.onRequestStart = (controller, context) => {
    start?.(controller, context);
    if (performance.now() > sendBy) controller.abort(new Error('too late to be sent'));
    else onSent();
  };
  return dispatch(options, handler);
};

/** One HTTP exchange at a time on each socket, never repeated, and known to have been sent or not. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #origin: string;
  readonly #prefix: string;
  readonly #timeout: number;
  readonly #lifecycle: Dispatcher;
  /** Chats last as long as pods talk; on sockets of their own, as many as it takes, they keep no lifecycle call waiting. */
  readonly #chats: Dispatcher;

  constructor(options: TransportOptions) {
    const { origin, pathname } = new URL(options.url);
    this.#options = options;
    this.#origin = origin;
    this.#prefix = pathname.replace(/\/+$/, '');
    this.#timeout = Math.min(options.timeout, LONGEST_TIMER_MS);
    // Over HTTP/2, which is undici's default with TLS, it sends refused streams again by itself.
    const common = { allowH2: false, pipelining: 1 };
    // The signal bounds a lifecycle call as a whole; undici's own bounds of 300 s must not come before it.
    this.#lifecycle = new Agent({
      ...common,
      connections: options.connections,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: Math.min(this.#timeout, CONNECT_MS) },
    }).compose(watch);
    const bounds = { headersTimeout: this.#timeout, bodyTimeout: this.#timeout, connect: { timeout: this.#timeout } };
    this.#chats = new Agent({ ...common, ...bounds }).compose(watch);
  }

  /**
   * @param sendBy by when it must have been sent, as `performance.now()` has it: a decision ages while a socket is opened
   * @throws Unanswered
   */
  send(
    call: Call,
    sendBy = Number.POSITIVE_INFINITY,
  ): Promise<{ status: number; headers: Dispatcher.ResponseData['headers']; body: string }> {
    return this.#observed(call, async (onSent) => {
      const signal = AbortSignal.timeout(this.#timeout);
      const { statusCode, headers, body } = await this.#request(this.#lifecycle, call, onSent, signal, sendBy);
      return { status: statusCode, headers, body: await text(body) };
    });
  }

  /** @throws Unanswered */
  stream(call: Call, signal: AbortSignal | undefined): Promise<{ status: number } & Pick<Dispatcher.ResponseData, 'headers' | 'body'>> {
    return this.#observed(call, async (onSent) => {
      const { statusCode, headers, body } = await this.#request(this.#chats, call, onSent, signal);
      return { status: statusCode, headers, body };
    });
  }

  /** Cuts what is still in flight. */
  async close(): Promise<void> {
    await Promise.all([this.#lifecycle.destroy(), this.#chats.destroy()]);
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

  #request(
    agent: Dispatcher,
    call: Call,
    onSent: () => void,
    signal?: AbortSignal,
    sendBy = Number.POSITIVE_INFINITY,
  ): Promise<Dispatcher.ResponseData<Watched>> {
    const json = call.body === undefined ? null : JSON.stringify(call.body);
    const watched: Watched = { onSent, sendBy };
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

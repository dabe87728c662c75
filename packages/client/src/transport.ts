import { SandmanError } from './errors.ts';
import type { ClientSettings } from './options.ts';

export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path below the API's address, encoded. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Record<string, string> | undefined;
  /** Ends the call, and the reading of its answer. */
  readonly signal?: AbortSignal | undefined;
  /** Replaces the client's time-out, in ms. */
  readonly timeout?: number | undefined;
  /** Whether the answer comes from a pod: it is then returned with any status, unless it is a problem+json of Sandman. */
  readonly foreign?: boolean;
}

/** Reads a `Retry-After`, in s or as a date. Returns s; null if there is none. */
function retryAfter(headers: Headers): number | null {
  const text = headers.get('retry-after');
  if (text === null) return null;
  const seconds = /^\d+$/.test(text.trim()) ? Number(text) : (Date.parse(text) - Date.now()) / 1_000;
  return Number.isNaN(seconds) ? null : Math.max(0, seconds);
}

function stringField(value: unknown, name: string): string | null {
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : null;
  return typeof found === 'string' ? found : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Makes calls, each with a time-out, and turns failures into a {@link SandmanError}. */
export class ApiTransport {
  readonly #settings: ClientSettings;

  constructor(settings: ClientSettings) {
    this.#settings = settings;
  }

  /**
   * Calls and reads the answer, both within the time-out.
   *
   * @throws SandmanError; the abort reason of `signal`; TypeError if the body cannot be written as JSON, or an id in the path
   * is `.` or `..`
   */
  json<T>(call: ApiCall): Promise<T> {
    const bound = new AbortController();
    const end = () => bound.abort();
    // Not with `AbortSignal.any`: some versions of Node keep every signal that depends on a long-lived one, which leaks memory.
    call.signal?.addEventListener('abort', end);
    if (call.signal?.aborted) end();
    return this.#bounded(call, bound, bound.signal, async (init) => {
      const answer = await this.#answer(call, init);
      const body = parsed(await answer.text());
      if (typeof body === 'object' && body !== null) return body as T;
      const { status } = answer;
      throw new SandmanError(nameOf(call), { code: 'unexpected-answer', detail: 'the answer is not JSON', status });
    }).finally(() => call.signal?.removeEventListener('abort', end));
  }

  /**
   * Calls, and leaves the body for the caller to read. The time-out ends with the beginning of the answer.
   *
   * @throws as {@link json}
   */
  stream(call: ApiCall): Promise<Response> {
    const bound = new AbortController();
    const ended = call.signal ? AbortSignal.any([call.signal, bound.signal]) : bound.signal;
    return this.#bounded(call, bound, ended, (init) => this.#answer(call, init));
  }

  /**
   * @param bound aborted at the time-out
   * @param ended aborted at the time-out or by the caller
   */
  async #bounded<T>(call: ApiCall, bound: AbortController, ended: AbortSignal, work: (init: RequestInit) => Promise<T>): Promise<T> {
    const { signal, timeout = this.#settings.timeout } = call;
    const init = this.#request(call, ended);
    const timer = setTimeout(() => bound.abort(), timeout);
    try {
      return await work(init);
    } catch (cause) {
      if (cause instanceof SandmanError) throw cause;
      signal?.throwIfAborted();
      if (bound.signal.aborted) throw new SandmanError(nameOf(call), { code: 'timeout', detail: `no answer within ${timeout} ms`, cause });
      throw new SandmanError(nameOf(call), { code: 'unreachable', detail: whatFailed(cause), cause });
    } finally {
      clearTimeout(timer);
    }
  }

  #request(call: ApiCall, signal: AbortSignal): RequestInit {
    const { method, path, body, headers } = call;
    // `fetch` resolves `.` and `..` in a path, so it would make a different call.
    if (path.split(/[/?]/).some((part) => part === '.' || part === '..')) throw new TypeError(`${nameOf(call)}: an id must not be . or ..`);
    const typed = body === undefined ? {} : { 'content-type': 'application/json' };
    return {
      method,
      headers: new Headers({ ...headers, ...typed, 'x-api-key': this.#settings.apiKey }),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
      // A redirect would send the key to another address.
      redirect: 'error',
    };
  }

  async #answer(call: ApiCall, init: RequestInit): Promise<Response> {
    const { base, fetch } = this.#settings;
    const answer = await fetch(base + call.path, init);
    const isProblem = answer.headers.get('content-type')?.startsWith('application/problem+json') ?? false;
    if (answer.ok || (call.foreign && !isProblem)) return answer;
    const problem = parsed(await answer.text());
    throw new SandmanError(nameOf(call), {
      code: stringField(problem, 'code') ?? 'unexpected-answer',
      detail: stringField(problem, 'detail') ?? stringField(problem, 'title') ?? `answered ${answer.status}`,
      status: answer.status,
      retryAfter: retryAfter(answer.headers),
    });
  }
}

function nameOf({ method, path }: ApiCall): string {
  return `${method} ${path}`;
}

/** Returns why a fetch failed. Its own message is only `fetch failed`; the reason is in its cause. */
function whatFailed(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? inner.message || ((inner as { code?: string }).code ?? inner.name) : String(inner);
}

import { SandmanError } from './errors.ts';
import type { Settings } from './options.ts';

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the address, encoded. */
  readonly path: string;
  /** As JSON. */
  readonly body?: unknown;
  readonly headers?: Record<string, string> | undefined;
  /** Ends the call, and the reading of its answer. */
  readonly signal?: AbortSignal | undefined;
  /** ms, in place of the client's. */
  readonly timeout?: number | undefined;
  /** Whether somebody else's answer, that is not a problem of Sandman's, is one whatever its status. */
  readonly foreign?: boolean;
}

/** A `Retry-After`, given in s or as a date, in s. */
function retryAfter(headers: Headers): number | null {
  const text = headers.get('retry-after');
  if (text === null) return null;
  const seconds = /^\d+$/.test(text.trim()) ? Number(text) : (Date.parse(text) - Date.now()) / 1_000;
  return Number.isNaN(seconds) ? null : Math.max(0, seconds);
}

function field(value: unknown, name: string): string | null {
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

/** Makes calls, each bounded, and turns whatever goes wrong into a {@link SandmanError}. */
export class Transport {
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /**
   * Calls and reads the answer, within the bound.
   *
   * @throws SandmanError; what `signal` was aborted with; TypeError where the body cannot be written as JSON, or an id in the
   * path is `.` or `..`
   */
  json<T>(call: Call): Promise<T> {
    const bound = new AbortController();
    const end = () => bound.abort();
    // Not by `AbortSignal.any`: of a signal that lasts, such as a client's own, some Nodes keep all that depend on it.
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
   * Calls, and leaves the answer to be read by the caller, however long that takes.
   *
   * @throws as {@link json}
   */
  stream(call: Call): Promise<Response> {
    const bound = new AbortController();
    const ended = call.signal ? AbortSignal.any([call.signal, bound.signal]) : bound.signal;
    return this.#bounded(call, bound, ended, (init) => this.#answer(call, init));
  }

  /**
   * @param bound is aborted when the time is over
   * @param ended by that, or by the caller
   */
  async #bounded<T>(call: Call, bound: AbortController, ended: AbortSignal, work: (init: RequestInit) => Promise<T>): Promise<T> {
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

  #request(call: Call, signal: AbortSignal): RequestInit {
    const { method, path, body, headers } = call;
    // fetch resolves them as steps in the path: it would make another call.
    if (path.split(/[/?]/).some((part) => part === '.' || part === '..')) throw new TypeError(`${nameOf(call)}: an id must not be . or ..`);
    const typed = body === undefined ? {} : { 'content-type': 'application/json' };
    return {
      method,
      headers: new Headers({ ...headers, ...typed, 'x-api-key': this.#settings.apiKey }),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
      // It would carry the key to wherever it points.
      redirect: 'error',
    };
  }

  async #answer(call: Call, init: RequestInit): Promise<Response> {
    const { base, fetch } = this.#settings;
    const answer = await fetch(base + call.path, init);
    const isProblem = answer.headers.get('content-type')?.startsWith('application/problem+json') ?? false;
    if (answer.ok || (call.foreign && !isProblem)) return answer;
    const problem = parsed(await answer.text());
    throw new SandmanError(nameOf(call), {
      code: field(problem, 'code') ?? 'unexpected-answer',
      detail: field(problem, 'detail') ?? field(problem, 'title') ?? `answered ${answer.status}`,
      status: answer.status,
      retryAfter: retryAfter(answer.headers),
    });
  }
}

function nameOf({ method, path }: Call): string {
  return `${method} ${path}`;
}

/** fetch says `fetch failed`, and why in its cause. */
function whatFailed(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? inner.message || ((inner as { code?: string }).code ?? inner.name) : String(inner);
}

import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type Action, type Outcome, type PodControl, SandmanError, UUID } from '@sandman/core';
import { Agent, type Dispatcher } from 'undici';
import { type Answer, sortAnswer, sortFailure } from './outcome.ts';

export interface SessionManagerOptions {
  readonly url: string;
  readonly apiKey: string;
  /** `SESSION_MANAGER_TIMEOUT`, ms: bounds a lifecycle call as a whole, of a chat the headers and each gap. */
  readonly timeout: number;
  /** The pool's width for lifecycle calls. At least the concurrency: a call must not wait for a socket after its commit. */
  readonly connections: number;
  /** Told of every call: its name, and the HTTP status or `error`. */
  readonly onResult?: (call: string, status: number | 'error') => void;
}

export interface ChatAnswer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Readable;
}

interface Call {
  readonly name: string;
  readonly method: Dispatcher.HttpMethod;
  readonly path: string;
  readonly body?: unknown;
  readonly idempotencyKey: string;
}

/** The session-manager over HTTP. It never retries by itself: the record does. */
export class SessionManagerClient implements PodControl {
  readonly #options: SessionManagerOptions;
  readonly #lifecycle: Agent;
  /** Chats last as long as pods talk; on sockets of their own they keep no lifecycle call waiting. */
  readonly #chats: Agent;

  constructor(options: SessionManagerOptions) {
    const { timeout, connections } = options;
    this.#options = options;
    this.#lifecycle = new Agent({ connections, connect: { timeout } });
    this.#chats = new Agent({ connect: { timeout }, headersTimeout: timeout, bodyTimeout: timeout });
  }

  async call(action: Action, uuid: string, idempotencyKey: string): Promise<Outcome> {
    const path = `/session/${encodeURIComponent(uuid)}`;
    const calls: Record<Action, Omit<Call, 'idempotencyKey' | 'name'>> = {
      sleep: { method: 'POST', path: `${path}/sleep`, body: {} },
      wake: { method: 'POST', path: `${path}/wake`, body: {} },
      delete: { method: 'DELETE', path },
      status: { method: 'GET', path: `${path}/status` },
    };
    try {
      return sortAnswer(action, await this.#send({ ...calls[action], name: action, idempotencyKey }));
    } catch (error) {
      return sortFailure(action, error, this.#options.timeout);
    }
  }

  /**
   * Makes a pod.
   *
   * @throws SandmanError `session-manager-timeout`, `session-manager-error`
   */
  async create(userId: string, idempotencyKey: string = randomUUID()): Promise<{ uuid: string; workspaceUrl: string }> {
    let answer: Answer;
    try {
      answer = await this.#send({ name: 'create', method: 'POST', path: '/session/create', body: { user_id: userId }, idempotencyKey });
    } catch (error) {
      throw this.#unanswered(error);
    }
    if (answer.status < 200 || answer.status >= 300) {
      throw new SandmanError('session-manager-error', `The session-manager answered create with HTTP ${answer.status}`);
    }
    try {
      const { uuid, workspace_url: workspaceUrl } = JSON.parse(answer.body) as Record<string, unknown>;
      if (typeof uuid === 'string' && UUID.test(uuid)) return { uuid, workspaceUrl: typeof workspaceUrl === 'string' ? workspaceUrl : '' };
    } catch {
      // Falls through to the same complaint.
    }
    throw new SandmanError('session-manager-error', 'The session-manager answered create without a uuid');
  }

  /**
   * Forwards a message, once. The answer's body is the pod's stream; a gap in it longer than the time-out destroys it.
   *
   * @throws SandmanError `session-manager-timeout`, `session-manager-error`
   */
  async chat(uuid: string, message: unknown): Promise<ChatAnswer> {
    const call = { name: 'chat', method: 'POST', path: `/session/${encodeURIComponent(uuid)}/chat`, body: { message } } as const;
    try {
      const answer = await this.#request(this.#chats, { ...call, idempotencyKey: randomUUID() });
      return { status: answer.statusCode, headers: answer.headers, body: answer.body };
    } catch (error) {
      throw this.#unanswered(error);
    }
  }

  /** Cuts what is still in flight. */
  async close(): Promise<void> {
    await Promise.all([this.#lifecycle.destroy(), this.#chats.destroy()]);
  }

  async #send(call: Call): Promise<Answer> {
    const answer = await this.#request(this.#lifecycle, call, AbortSignal.timeout(this.#options.timeout));
    return { status: answer.statusCode, headers: answer.headers, body: await answer.body.text() };
  }

  async #request(agent: Agent, call: Call, signal?: AbortSignal): Promise<Dispatcher.ResponseData> {
    const { url, apiKey, onResult } = this.#options;
    const base = new URL(url);
    try {
      const answer = await agent.request({
        origin: base.origin,
        path: base.pathname.replace(/\/$/, '') + call.path,
        method: call.method,
        headers: {
          'x-api-key': apiKey,
          'x-request-id': randomUUID(),
          'idempotency-key': call.idempotencyKey,
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
        ...(signal ? { signal } : {}),
      });
      onResult?.(call.name, answer.statusCode);
      return answer;
    } catch (error) {
      onResult?.(call.name, 'error');
      throw error;
    }
  }

  #unanswered(error: unknown): SandmanError {
    const { code, name } = error as { code?: string; name?: string };
    if (name === 'TimeoutError' || name === 'HeadersTimeoutError') {
      return new SandmanError('session-manager-timeout', `The session-manager did not answer within ${this.#options.timeout} ms`);
    }
    return new SandmanError('session-manager-error', `The session-manager cannot be reached (${code ?? name ?? 'unknown'})`);
  }
}

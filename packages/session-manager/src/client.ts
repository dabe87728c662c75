import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type Action, type Outcome, type PodConnection, type PodControl, SandmanError, UUID } from '@sandman/core';
import { type LifecycleAnswer, outcomeOfAnswer, outcomeOfFailure } from './outcome.ts';
import { type HttpCall, type SingleCallConnection, Transport, type TransportOptions } from './transport.ts';
import { describeUnanswered, Unanswered } from './unanswered.ts';

export type SessionManagerOptions = TransportOptions;

export interface ChatAnswer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Readable;
}

function lifecycleCall(action: Action, uuid: string, idempotencyKey: string): HttpCall {
  const path = `/session/${encodeURIComponent(uuid)}`;
  const common = { name: action, idempotencyKey };
  switch (action) {
    case 'sleep':
    case 'wake':
      return { ...common, method: 'POST', path: `${path}/${action}`, body: {} };
    case 'delete':
      return { ...common, method: 'DELETE', path };
    case 'status':
      return { ...common, method: 'GET', path: `${path}/status` };
  }
}

/** Calls the session-manager over HTTP. It never retries: the worker does, as the record says. */
export class SessionManagerClient implements PodControl {
  readonly #timeout: number;
  readonly #chatTimeout: number;
  readonly #transport: Transport;

  /** @throws TypeError on a malformed `url` */
  constructor(options: SessionManagerOptions) {
    this.#timeout = options.timeout;
    this.#chatTimeout = options.chatTimeout ?? options.timeout;
    this.#transport = new Transport(options);
  }

  async open(): Promise<PodConnection | null> {
    const line = await this.#transport.open();
    return line && { call: (...call) => this.#call(line, ...call), release: line.release };
  }

  /** Makes one call on a connection that is opened for it. */
  async call(action: Action, uuid: string, idempotencyKey: string): Promise<Outcome> {
    const connection = await this.open();
    return connection?.call(action, uuid, idempotencyKey) ?? { kind: 'transient', sent: false, error: 'this process is told to stop' };
  }

  async #call(line: SingleCallConnection, action: Action, uuid: string, idempotencyKey: string): Promise<Outcome> {
    try {
      return outcomeOfAnswer(action, await line.send(lifecycleCall(action, uuid, idempotencyKey), this.#transport.timeout()));
    } catch (error) {
      if (!(error instanceof Unanswered)) return { kind: 'permanent', error: 'the call cannot be made' };
      return outcomeOfFailure(action, error, this.#timeout);
    }
  }

  /**
   * Creates a pod. `workspaceUrl` is empty where the answer has none: an error would leave a pod that is not tracked.
   *
   * @throws SandmanError `session-manager-timeout`, `session-manager-error`
   */
  async create(userId: string, idempotencyKey: string = randomUUID()): Promise<{ uuid: string; workspaceUrl: string }> {
    const call = { name: 'create', method: 'POST', path: '/session/create', body: { user_id: userId }, idempotencyKey } as const;
    let answer: LifecycleAnswer;
    // A caller waits for the answer, so the time-out includes opening the connection.
    const signal = this.#transport.timeout();
    try {
      const line = await this.#transport.open();
      if (!line) throw new SandmanError('session-manager-error', 'This process is told to stop');
      answer = await line.send(call, signal);
    } catch (error) {
      throw callerError(error, this.#timeout);
    }
    if (answer.status < 200 || answer.status >= 300) {
      throw new SandmanError('session-manager-error', `The session-manager answered create with HTTP ${answer.status}`);
    }
    try {
      const { uuid, workspace_url: workspaceUrl } = JSON.parse(answer.body) as Record<string, unknown>;
      if (typeof uuid === 'string' && UUID.test(uuid)) return { uuid, workspaceUrl: typeof workspaceUrl === 'string' ? workspaceUrl : '' };
    } catch {
      // Falls through to the same error as an answer without a uuid.
    }
    throw new SandmanError('session-manager-error', 'The session-manager answered create without a uuid');
  }

  /**
   * Forwards a message, once. The answer's body is the pod's stream; a gap in it longer than the time-out destroys it, and so
   * does `signal`.
   *
   * @param body JSON, `{"message": …}`
   * @throws SandmanError `session-manager-timeout`, `session-manager-error`
   */
  async chat(uuid: string, body: Buffer, { signal }: { signal?: AbortSignal } = {}): Promise<ChatAnswer> {
    const path = `/session/${encodeURIComponent(uuid)}/chat`;
    try {
      return await this.#transport.stream({ name: 'chat', method: 'POST', path, body, idempotencyKey: randomUUID() }, signal);
    } catch (error) {
      throw callerError(error, this.#chatTimeout);
    }
  }

  /** Opens no more connections for lifecycle calls, because the process is stopping; calls in flight go on. */
  drain(): void {
    this.#transport.drain();
  }

  /** Breaks off the calls that are still in flight. */
  close(): Promise<void> {
    return this.#transport.close();
  }
}

/** Makes the error that a caller gets for a call without an answer. @param timeout the call's time-out, in ms */
function callerError(error: unknown, timeout: number): unknown {
  if (!(error instanceof Unanswered)) return error;
  const code = error.timedOut ? 'session-manager-timeout' : 'session-manager-error';
  return new SandmanError(code, `The session-manager gave no answer: ${describeUnanswered(error, timeout)}`, { cause: error });
}

/** Tells whether a failed call may have reached the session-manager. */
export function wasSent(failure: unknown): boolean {
  const cause = (failure as { cause?: unknown } | undefined)?.cause;
  return !(cause instanceof Unanswered) || cause.sent;
}

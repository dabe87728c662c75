/** The `code` of Sandman's problem+json, or why there was no such answer. */
export type ErrorCode =
  | 'unauthorized'
  | 'invalid-request'
  | 'payload-too-large'
  | 'not-found'
  | 'session-not-found'
  | 'session-deleted'
  | 'conflict'
  | 'kept'
  | 'rate-limited'
  | 'session-manager-error'
  | 'session-manager-timeout'
  | 'not-ready'
  | 'internal'
  /** No connection, or it broke during the call. */
  | 'unreachable'
  /** No answer within the client's `timeout`. */
  | 'timeout'
  /** An answer that is not from Sandman, but from a proxy or another service at that address. */
  | 'unexpected-answer'
  | (string & {});

interface ErrorFields {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly status?: number | null;
  readonly retryAfter?: number | null;
  readonly cause?: unknown;
}

/** A call that failed. It does not contain the API key. */
export class SandmanError extends Error {
  override readonly name = 'SandmanError';
  readonly code: ErrorCode;
  /** What was wrong, as text for people. */
  readonly detail: string;
  /** The HTTP status; null if no answer came. */
  readonly status: number | null;
  /** The answer's `Retry-After`, in s; null if it had none. */
  readonly retryAfter: number | null;

  /** @param call for the message, such as `GET /v1/policies` */
  constructor(call: string, { code, detail, status = null, retryAfter = null, cause }: ErrorFields) {
    super(`${call}: ${detail} (${code})`, cause === undefined ? {} : { cause });
    this.code = code;
    this.detail = detail;
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /** Tells whether the same call may succeed later: no answer came, or a status that is temporary. */
  get transient(): boolean {
    const { status } = this;
    return status === null || status < 400 || status === 408 || status === 425 || status === 429 || status >= 500;
  }
}

/** A problem's `code` as Sandman gives it, or what stood in the way of an answer. */
export type ErrorCode =
  | 'unauthorized'
  | 'invalid-request'
  | 'payload-too-large'
  | 'not-found'
  | 'session-not-found'
  | 'session-deleted'
  | 'conflict'
  | 'rate-limited'
  | 'session-manager-error'
  | 'session-manager-timeout'
  | 'not-ready'
  | 'internal'
  /** No connection, or it broke. */
  | 'unreachable'
  /** No answer within the client's `timeout`. */
  | 'timeout'
  /** An answer that is not Sandman's: a proxy's, or somebody else's under that address. */
  | 'unexpected-answer'
  | (string & {});

interface ErrorFields {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly status?: number | null;
  readonly retryAfter?: number | null;
  readonly cause?: unknown;
}

/** A call that did not do what it was to do. Carries no key. */
export class SandmanError extends Error {
  override readonly name = 'SandmanError';
  readonly code: ErrorCode;
  /** What was wrong, for people. */
  readonly detail: string;
  /** HTTP's; null where no answer came. */
  readonly status: number | null;
  /** How long to wait before the next try, in s; null where nobody said. */
  readonly retryAfter: number | null;

  /** @param call for the message, such as `GET /v1/policies` */
  constructor(call: string, { code, detail, status = null, retryAfter = null, cause }: ErrorFields) {
    super(`${call}: ${detail} (${code})`, cause === undefined ? {} : { cause });
    this.code = code;
    this.detail = detail;
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /** Whether the same call may go through later: no answer came, or one that says "not now". */
  get transient(): boolean {
    const { status } = this;
    return status === null || status < 400 || status === 408 || status === 425 || status === 429 || status >= 500;
  }
}

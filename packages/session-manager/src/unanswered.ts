/** A call that got no answer. It contains no text of the request, so that no key leaks through it. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';
  /** Whether any part of the request may have reached the session-manager. */
  readonly sent: boolean;
  readonly timedOut: boolean;
  /** The code of the system's or undici's error. */
  readonly code: string;

  constructor(failure: unknown, sent: boolean) {
    const { code, name } = failure as { code?: unknown; name?: string };
    super('no answer');
    this.sent = sent;
    this.code = typeof code === 'string' ? code : (name ?? 'unknown');
    this.timedOut = name === 'TimeoutError' || name === 'HeadersTimeoutError' || name === 'ConnectTimeoutError';
  }
}

const CAUSES: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'host name not found',
  EAI_AGAIN: 'host name not found',
  ECONNRESET: 'connection broken',
  EPIPE: 'connection broken',
  UND_ERR_SOCKET: 'connection broken',
  UND_ERR_DESTROYED: 'connection closed before the request was sent',
  UND_ERR_CONNECT_TIMEOUT: 'connecting timed out',
  UND_ERR_INVALID_ARG: 'the request cannot be written (is the API key one that a header may carry?)',
};

/** Says in a few words why there is no answer. @param timeout the call's time-out, in ms */
export function describeUnanswered({ sent, timedOut, code }: Unanswered, timeout: number): string {
  if (timedOut && sent) return `timed out after ${timeout} ms`;
  return CAUSES[code] ?? (timedOut ? `not sent within ${timeout} ms` : `connection failed (${code})`);
}

import { SandmanError } from '@sandman/client';
import { CommandFailure, EXIT } from './exit.ts';

const again = ({ retryAfter }: SandmanError) => `try again ${retryAfter === null ? 'later' : `in ${Math.ceil(retryAfter)} s`}`;

/** Messages by error code, for errors whose detail does not say what to do. */
const MESSAGES_BY_CODE: Readonly<Record<string, (error: SandmanError, url: string) => string>> = {
  unreachable: ({ detail }, url) => `Sandman cannot be reached at ${url} (${detail}): is it up, and is SANDMAN_URL (or --url) right?`,
  timeout: (_, url) => `${url} did not answer in time: try again, or allow more with --timeout`,
  'unexpected-answer': ({ status, detail }, url) =>
    `${url} answered ${status} and nothing of Sandman's (${detail}): is SANDMAN_URL (or --url) right?`,
  unauthorized: () => "SANDMAN_API_KEY is not accepted: set it to one of the API's keys (API_KEYS)",
  'session-not-found': ({ detail }) => `${detail}: \`sandman sessions\` lists those there are`,
  kept: ({ detail }) => `${detail}: --force deletes it all the same`,
  'rate-limited': (error) => `too many calls with this key: ${again(error)}`,
  'not-ready': (error) => `Sandman is not ready (${error.detail}): ${again(error)}`,
};

/** Tells whether calls about all other sessions would fail as well. */
export function concernsAll(error: unknown): boolean {
  return error instanceof SandmanError && (error.code === 'unreachable' || error.code === 'unauthorized');
}

/** Longest wait that a `Retry-After` can cause, in s. */
const LONGEST_WAIT_S = 300;

/** Returns how long to wait before the call is repeated, in s; null if it should not be repeated. */
export function retryAfterSeconds(error: unknown): number | null {
  if (!(error instanceof SandmanError) || error.retryAfter === null) return null;
  return error.status === 429 || error.status === 503 ? Math.min(error.retryAfter, LONGEST_WAIT_S) : null;
}

/** Turns an error into one whose message is a single line for the operator, without a stack trace. */
export function asCommandFailure(error: unknown, url: string): CommandFailure {
  if (error instanceof CommandFailure) return error;
  if (!(error instanceof SandmanError)) return new CommandFailure(EXIT.failed, String(error), { cause: error });
  const line = MESSAGES_BY_CODE[error.code]?.(error, url) ?? error.detail;
  const unanswered = error.code === 'unreachable' || error.code === 'timeout';
  return new CommandFailure(unanswered ? EXIT.unreachable : EXIT.failed, line, { cause: error });
}

import { isSpanContextValid, trace } from '@opentelemetry/api';
import { type Logger, pino } from 'pino';

export type { Logger };

/** Picks the fields of an error that may be logged. Errors of ioredis, at any depth, contain the command, and so a password. */
function describe(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  const { name, message, stack, cause, code, lastNodeError } = error as Error & { code?: unknown; lastNodeError?: unknown };
  const inner = cause ?? lastNodeError;
  return {
    type: name,
    message,
    ...(code === undefined ? {} : { code }),
    stack,
    ...(inner === undefined ? {} : { cause: describe(inner) }),
  };
}

/** Returns the id of the trace in which a line is logged, if there is one. */
function ofTrace(): { traceId?: string } {
  const span = trace.getActiveSpan()?.spanContext();
  return span && isSpanContextValid(span) ? { traceId: span.traceId } : {};
}

/** Makes a logger that writes JSON lines to standard output, without keys in headers and without commands sent to Redis. */
export function createLogger(level: string, name: string): Logger {
  const secrets = ['x-api-key', 'authorization', 'cookie'].map((header) => `*.headers["${header}"]`);
  const headers = [...secrets, ...secrets.map((path) => path.slice(2))];
  return pino({ name, level, serializers: { err: describe }, redact: { paths: headers, censor: '[redacted]' }, mixin: ofTrace });
}

import { isSpanContextValid, trace } from '@opentelemetry/api';
import { type Logger, pino } from 'pino';

export type { Logger };

/** What may be known of an error: ioredis' carry their commands, and that of a refused login the password, at any depth. */
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

/** Where a line belongs, if it is written inside a trace. */
function ofTrace(): { traceId?: string } {
  const span = trace.getActiveSpan()?.spanContext();
  return span && isSpanContextValid(span) ? { traceId: span.traceId } : {};
}

/** JSON lines on standard output. Neither headers that carry keys nor what was sent to Redis reaches them. */
export function createLogger(level: string, name: string): Logger {
  const secrets = ['x-api-key', 'authorization', 'cookie'].map((header) => `*.headers["${header}"]`);
  const headers = [...secrets, ...secrets.map((path) => path.slice(2))];
  return pino({ name, level, serializers: { err: describe }, redact: { paths: headers, censor: '[redacted]' }, mixin: ofTrace });
}

import { trace } from '@opentelemetry/api';
import type { BullMQOtel } from 'bullmq-otel';
import type { Logger } from './logger.ts';
import type { RequestSpans } from './request-spans.ts';

/** What a process hands to those whose work is traced. */
export interface Tracing {
  /** A Fastify plugin that makes a span of each request; null where nothing is traced. */
  readonly requests: RequestSpans | null;
  /** BullMQ's `telemetry`; undefined where nothing is traced. */
  readonly jobs: BullMQOtel | undefined;
  /** Sends what is not sent yet, for at most 2 s. */
  close(): Promise<void>;
}

const OFF: Tracing = { requests: null, jobs: undefined, close: async () => {} };

function isAskedFor(env: NodeJS.ProcessEnv): boolean {
  if (env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true') return false;
  const exporter = env.OTEL_TRACES_EXPORTER?.trim();
  if (exporter === 'none') return false;
  return Boolean(exporter || env.OTEL_EXPORTER_OTLP_ENDPOINT?.trim() || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT?.trim());
}

/**
 * Starts OpenTelemetry where its standard variables name somebody to send traces to; else loads nothing of it.
 *
 * @param service what the traces call this process, unless the environment does: `sandman-<service>`
 * @param logger told of what goes wrong with sending
 */
export async function startTracing(service: string, logger: Logger): Promise<Tracing> {
  if (!isAskedFor(process.env)) return OFF;
  // The SDK takes half a second to load.
  const { startSdk } = await import('./open-telemetry.ts');
  return startSdk(`sandman-${service}`, logger);
}

/** Says of the span one is in what it is about. */
export function annotate(about: Readonly<Record<string, string>>): void {
  const attributes = Object.entries(about).map(([name, value]) => [`sandman.${name}`, value]);
  trace.getActiveSpan()?.setAttributes(Object.fromEntries(attributes));
}

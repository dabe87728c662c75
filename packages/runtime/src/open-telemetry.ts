import { context, DiagLogLevel, diag, ROOT_CONTEXT } from '@opentelemetry/api';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { NodeSDK, resources } from '@opentelemetry/sdk-node';
import type { BullMQOtel } from 'bullmq-otel';
import { traceJobs } from './job-spans.ts';
import type { Logger } from './logger.ts';
import { type RequestSpans, traceRequests } from './request-spans.ts';

/** The parts of tracing that a process gives to its server and its queues. */
export interface Tracing {
  /** A Fastify plugin that makes a span for each request; null where tracing is off. */
  readonly requests: RequestSpans | null;
  /** BullMQ's `telemetry`; undefined where tracing is off. */
  readonly jobs: BullMQOtel | undefined;
  /** Sends the remaining spans, for at most 2 s. */
  close(): Promise<void>;
}

/** How long a stopping process waits for the trace collector, in ms. */
const FLUSH_MS = 2_000;

/** Shortens a message of OpenTelemetry. It writes an error as JSON of all its fields; the first line of the stack names the error. */
function headline(complaint: string): string {
  try {
    return (JSON.parse(complaint) as { stack: string }).stack.split('\n')[0]!;
  } catch {
    return complaint;
  }
}

/**
 * Writes OpenTelemetry's warnings and errors to the log, outside any trace: the code that sends spans runs in the context of
 * the last one, and the line would get that trace's id.
 */
function complainTo(logger: Logger): void {
  const complain = (complaint: string) => context.with(ROOT_CONTEXT, () => logger.warn({ reason: headline(complaint) }, 'tracing'));
  const ignore = () => {};
  const log = { error: complain, warn: complain, info: ignore, debug: ignore, verbose: ignore };
  diag.setLogger(log, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}

/** Starts the SDK as `OTEL_*` configures it, for traces only: Prometheus has the metrics, and pino the logs. */
export function startSdk(name: string, logger: Logger): Tracing {
  const requests = traceRequests();
  const sdk = new NodeSDK({
    // The option `serviceName` would override the environment.
    resource: resources.defaultResource().merge(resources.resourceFromAttributes({ 'service.name': name })),
    // Both must be set: the SDK has exporters of its own where they are undefined.
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [requests.instrumentation, new UndiciInstrumentation({ requireParentforSpans: true })],
  });
  complainTo(logger);
  sdk.start();
  return {
    requests: requests.plugin,
    jobs: traceJobs(),
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, FLUSH_MS);
      });
      await Promise.race([sdk.shutdown().catch((err) => logger.warn({ err }, 'tracing')), late]);
      clearTimeout(timer);
    },
  };
}

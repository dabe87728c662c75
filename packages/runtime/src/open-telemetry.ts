import { context, DiagLogLevel, diag, ROOT_CONTEXT } from '@opentelemetry/api';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { NodeSDK, resources } from '@opentelemetry/sdk-node';
import type { BullMQOtel } from 'bullmq-otel';
import { traceJobs } from './job-spans.ts';
import type { Logger } from './logger.ts';
import { type RequestSpans, traceRequests } from './request-spans.ts';

/** What a process hands to those whose work is traced. */
export interface Tracing {
  /** A Fastify plugin that makes a span of each request; null where nothing is traced. */
  readonly requests: RequestSpans | null;
  /** BullMQ's `telemetry`; undefined where nothing is traced. */
  readonly jobs: BullMQOtel | undefined;
  /** Sends what is not sent yet, for at most 2 s. */
  close(): Promise<void>;
}

/** How long a process that is told to stop waits for whoever collects its traces, in ms. */
const FLUSH_MS = 2_000;

/** It writes an error as JSON of all its parts; its stack begins with what it is. */
function headline(complaint: string): string {
  try {
    return (JSON.parse(complaint) as { stack: string }).stack.split('\n')[0]!;
  } catch {
    return complaint;
  }
}

/** OpenTelemetry's own complaints as lines of our log, and as nobody's trace: what sends spans runs in that of the last one. */
function complainTo(logger: Logger): void {
  const complain = (complaint: string) => context.with(ROOT_CONTEXT, () => logger.warn({ reason: headline(complaint) }, 'tracing'));
  const ignore = () => {};
  const log = { error: complain, warn: complain, info: ignore, debug: ignore, verbose: ignore };
  diag.setLogger(log, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}

/** Starts the SDK as `OTEL_*` has it, for traces alone: figures are Prometheus' business and lines pino's. */
export function startSdk(name: string, logger: Logger): Tracing {
  const requests = traceRequests();
  const sdk = new NodeSDK({
    // Not its `serviceName`, which would win over the environment.
    resource: resources.defaultResource().merge(resources.resourceFromAttributes({ 'service.name': name })),
    // Neither of them may be left out: what is undefined the SDK sends by itself.
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

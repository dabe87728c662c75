import { context, INVALID_SPAN_CONTEXT, isSpanContextValid, SpanKind, trace } from '@opentelemetry/api';
import { BullMQOTelSpan, BullMQOtel } from 'bullmq-otel';

/** BullMQ's `telemetry`, without the spans it makes of each of its polls: nobody's trace is in them. */
export function traceJobs(): BullMQOtel {
  const telemetry = new BullMQOtel();
  const { tracer } = telemetry;
  const start = tracer.startSpan.bind(tracer);
  tracer.startSpan = (name, options, parent) => {
    const active = trace.getSpanContext(context.active());
    const isPoll = options?.kind === SpanKind.INTERNAL && !(active && isSpanContextValid(active));
    return isPoll ? new BullMQOTelSpan(trace.wrapSpanContext(INVALID_SPAN_CONTEXT)) : start(name, options, parent);
  };
  return telemetry;
}

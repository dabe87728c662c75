import { context, INVALID_SPAN_CONTEXT, isSpanContextValid, SpanKind, trace } from '@opentelemetry/api';
import { BullMQOTelSpan, BullMQOtel } from 'bullmq-otel';

/** Makes BullMQ's `telemetry`, without the spans of BullMQ's polls, which belong to no trace. */
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

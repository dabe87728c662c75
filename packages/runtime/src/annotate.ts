import { trace } from '@opentelemetry/api';

/** Adds attributes `sandman.NAME` to the active span, where there is one. */
export function annotate(about: Readonly<Record<string, string>>): void {
  const attributes = Object.entries(about).map(([name, value]) => [`sandman.${name}`, value]);
  trace.getActiveSpan()?.setAttributes(Object.fromEntries(attributes));
}

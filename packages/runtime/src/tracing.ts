import type { Logger } from './logger.ts';
import type { Tracing } from './open-telemetry.ts';

const OFF: Tracing = { requests: null, jobs: undefined, close: async () => {} };

function isAskedFor(env: NodeJS.ProcessEnv): boolean {
  if (env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true') return false;
  const exporter = env.OTEL_TRACES_EXPORTER?.trim();
  if (exporter === 'none') return false;
  return Boolean(exporter || env.OTEL_EXPORTER_OTLP_ENDPOINT?.trim() || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT?.trim());
}

/**
 * Starts OpenTelemetry where its standard variables name an exporter or a collector; else loads nothing of it.
 *
 * @param service makes the service name in traces, `sandman-<service>`, unless the environment has one
 * @param logger gets the errors of sending
 */
export async function startTracing(service: string, logger: Logger): Promise<Tracing> {
  if (!isAskedFor(process.env)) return OFF;
  // The SDK takes half a second to load.
  const { startSdk } = await import('./open-telemetry.ts');
  return startSdk(`sandman-${service}`, logger);
}

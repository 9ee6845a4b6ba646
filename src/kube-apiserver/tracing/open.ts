import type { TracingOptions } from './open-telemetry.ts';
import type { Tracing } from './tracing.ts';

/** OpenTelemetry's SDK is loaded on the first call: a server that traces nothing does not load it. */
export async function openTracing(options: TracingOptions): Promise<Tracing> {
  const { OpenTelemetryTracing } = await import('./open-telemetry.ts');
  return new OpenTelemetryTracing(options);
}

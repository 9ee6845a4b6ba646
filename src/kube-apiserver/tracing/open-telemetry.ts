// Tracing by OpenTelemetry's SDK. Only a server that traces loads this file, by a dynamic import.

import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  type HrTime,
  ROOT_CONTEXT,
  type Span as SdkSpan,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  type TextMapPropagator,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import {
  CompositePropagator,
  type ExportResult,
  ExportResultCode,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { TracingConfiguration } from './configuration.ts';
import type { RequestSpan, Span, SpanAttributes, Tracing } from './tracing.ts';

export interface TracingOptions extends TracingConfiguration {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Distinguishes API servers. */
  readonly instance: string;
  /** Time between two exports; default 5 s. */
  readonly delayMs?: number;
}

/** Limits of OpenTelemetry's specification: further spans are dropped. */
const mostWaiting = 2_048;
const mostInExport = 512;
/** A collector that does not answer must not delay the end of the process. */
const closeMs = 500;

/** The current span, and the time of the day at which the monotonic clock was 0. */
interface Current {
  readonly context: Context;
  readonly span: SdkSpan;
  readonly originMs: number;
}

export class OpenTelemetryTracing implements Tracing {
  readonly #clock: Clock;
  readonly provider: TracerProvider;
  readonly #tracer: Tracer;
  readonly #current = new AsyncLocalStorage<Current>();
  readonly #propagator: TextMapPropagator = new CompositePropagator({
    propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()],
  });

  constructor({ clock, logger, instance, url, samplingRatePerMillion: rate, delayMs = 5_000 }: TracingOptions) {
    this.#clock = clock;
    const exporter = reporting(new OTLPTraceExporter({ url, timeoutMillis: 10_000 }), url, logger);
    this.provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': 'apiserver', 'service.instance.id': instance }),
      sampler: new ParentBasedSampler({
        root: rate > 0 ? new TraceIdRatioBasedSampler(rate / 1_000_000) : new AlwaysOffSampler(),
      }),
      spanProcessors: [
        new BatchSpanProcessor({
          exporter,
          maxQueueSize: mostWaiting,
          maxExportBatchSize: mostInExport,
          scheduledDelayMillis: delayMs,
        }),
      ],
    });
    this.#tracer = this.provider.getTracer('coracle');
  }

  request<T>(start: RequestSpan, work: (span: Span) => T): T {
    const { name, attributes, headers, isTrusted, startMs } = start;
    const originMs = this.#clock.now() - this.#clock.monotonic();
    const above = this.#current.getStore();
    const remote = this.#propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
    const linked = isTrusted ? undefined : trace.getSpanContext(remote);
    const parent = isTrusted ? remote : ROOT_CONTEXT;
    // A request of this server's own client belongs to the request that it serves.
    const context = above?.span.isRecording() ? above.context : parent;
    const options: SpanOptions = {
      attributes,
      kind: SpanKind.SERVER,
      startTime: timeOf(originMs + startMs),
      ...(linked && { links: [{ context: linked }] }),
    };
    const span = this.#tracer.startSpan(name, options, context);
    const current = { context: trace.setSpan(context, span), span, originMs };
    return this.#current.run(current, () => work(this.#handle(current)));
  }

  #handle({ span, context, originMs }: Current): Span {
    return {
      set: (attributes) => void span.setAttributes(attributes),
      child: (name, startMs, endMs) => {
        if (!span.isRecording()) return;
        this.#tracer.startSpan(name, { startTime: timeOf(originMs + startMs) }, context).end(timeOf(originMs + endMs));
      },
      fail: (message) => void span.setStatus({ code: SpanStatusCode.ERROR, message }),
      end: () => span.end(timeOf(originMs + this.#clock.monotonic())),
    };
  }

  span<T>(name: string, attributes: () => SpanAttributes, work: () => Promise<T>): Promise<T> {
    const above = this.#current.getStore();
    if (!above?.span.isRecording()) return work();
    const { originMs } = above;
    const now = () => timeOf(originMs + this.#clock.monotonic());
    const span = this.#tracer.startSpan(name, { attributes: attributes(), startTime: now() }, above.context);
    const below = { context: trace.setSpan(above.context, span), span, originMs };
    return this.#current.run(below, async () => {
      try {
        return await work();
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
        throw error;
      } finally {
        span.end(now());
      }
    });
  }

  headers(): Readonly<Record<string, string>> {
    const headers: Record<string, string> = {};
    const current = this.#current.getStore();
    if (current) this.#propagator.inject(current.context, headers, defaultTextMapSetter);
    return headers;
  }

  async close(): Promise<void> {
    const late = new AbortController();
    const sent = this.provider.shutdown().catch(() => {});
    await Promise.race([sent, this.#clock.sleep(closeMs, late.signal).catch(() => {})]);
    late.abort();
  }
}

/** Seconds and nanoseconds. */
const timeOf = (ms: number): HrTime => [Math.floor(ms / 1_000), Math.round((ms % 1_000) * 1e6)];

/** Logs when exports begin to fail, and when they succeed again. */
function reporting(exporter: SpanExporter, url: string, logger: Logger): SpanExporter {
  let fails = false;
  const report = ({ code, error }: ExportResult) => {
    if (fails === (code !== ExportResultCode.SUCCESS)) return;
    fails = !fails;
    if (fails) logger.warn('spans cannot be sent; those beyond the queue are dropped', { url, error: String(error) });
    else logger.info('spans are sent again', { url });
  };
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        report(result);
        // A failure is reported above: the SDK would report it to a global handler.
        done({ code: ExportResultCode.SUCCESS });
      }),
    shutdown: () => exporter.shutdown(),
  };
}

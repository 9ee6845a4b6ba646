// Traces of requests through their stages. https://kubernetes.io/docs/concepts/cluster-administration/system-traces/

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface RequestSpan {
  readonly name: string;
  readonly attributes: SpanAttributes;
  /** Of the client, with the span that it continues. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Whether the client's span becomes the parent. It becomes a link otherwise, as any client can send headers. */
  readonly isTrusted: boolean;
  /** On the monotonic clock. */
  readonly startMs: number;
}

export interface Span {
  set(attributes: SpanAttributes): void;
  /** Adds a span that is over. Times are on the monotonic clock. */
  child(name: string, startMs: number, endMs: number): void;
  fail(message: string): void;
  end(): void;
}

export interface Tracing {
  /** Runs `work` in the span of a request. The caller ends it. */
  request<T>(start: RequestSpan, work: (span: Span) => T): T;
  /** Runs `work` in a span below the current one. Without one that is recorded, `work` runs alone. */
  span<T>(name: string, attributes: () => SpanAttributes, work: () => Promise<T>): Promise<T>;
  /** Headers that pass the current span on to another server. */
  headers(): Readonly<Record<string, string>>;
  /** Sends the remaining spans, in a bounded time. */
  close(): Promise<void>;
}

interface Traced {
  /** Undefined: nothing is traced. */
  readonly tracing?: Tracing;
}

export function inSpan<T>(
  { tracing }: Traced,
  name: string,
  attributes: () => SpanAttributes,
  work: () => Promise<T>,
): Promise<T> {
  return tracing ? tracing.span(name, attributes, work) : work();
}

export const noAttributes = (): SpanAttributes => ({});

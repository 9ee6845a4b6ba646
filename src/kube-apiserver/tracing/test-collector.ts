// For tests: a collector that takes OTLP over HTTP, in JSON.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CollectedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status?: { readonly code?: number; readonly message?: string };
}

export interface TestCollector {
  readonly endpoint: string;
  readonly spans: CollectedSpan[];
  readonly resources: any[];
  readonly paths: (string | undefined)[];
  /** Of its answers. */
  code: number;
  stop(): void;
}

/** `answers`: whether it ever answers. */
export async function startCollector({ answers = true } = {}): Promise<TestCollector> {
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    collector.paths.push(request.url);
    if (!answers) return;
    const { resourceSpans } = JSON.parse(Buffer.concat(parts).toString());
    for (const { resource, scopeSpans } of resourceSpans) {
      collector.resources.push(resource);
      for (const { spans } of scopeSpans) collector.spans.push(...spans);
    }
    response.statusCode = collector.code;
    response.setHeader('Content-Type', 'application/json');
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const collector: TestCollector = {
    endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: [],
    resources: [],
    paths: [],
    code: 200,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
  return collector;
}

export const attribute = (span: CollectedSpan | undefined, name: string): unknown => {
  const value = span?.attributes.find(({ key }) => key === name)?.value ?? {};
  return Object.values(value)[0];
};

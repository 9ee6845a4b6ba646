// Health and metrics of a part of the node, over HTTP.

import { createServer, type Server } from 'node:http';
import type { Endpoint } from './flags.ts';

interface Page {
  readonly code: number;
  readonly type?: string;
  readonly text: string;
}

export type Pages = Readonly<Record<string, () => Page>>;

const headersTimeoutMs = 10_000;
const mostConnections = 100;

/** Metrics in the Prometheus text format. */
export const metricsPage = (text: () => string) => (): Page => ({
  code: 200,
  type: 'text/plain; version=0.0.4; charset=utf-8',
  text: text(),
});

/** Resolves when it listens; rejects when it cannot. */
export function servePages({ host, port }: Endpoint, pages: Pages): Promise<{ close(): void }> {
  const server = createServer({ headersTimeout: headersTimeoutMs }, ({ url = '', method }, response) => {
    const page = Object.hasOwn(pages, pathOf(url)) ? pages[pathOf(url)] : undefined;
    const { code, type = 'text/plain; charset=utf-8', text } = page?.() ?? { code: 404, text: '404 page not found\n' };
    response.writeHead(code, { 'Content-Type': type, 'X-Content-Type-Options': 'nosniff' });
    response.end(method === 'HEAD' ? undefined : text);
  });
  server.maxConnections = mostConnections;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject).on('error', () => {});
      resolve({ close: () => close(server) });
    });
  });
}

const pathOf = (url: string): string => url.split('?')[0];

function close(server: Server): void {
  server.close();
  server.closeAllConnections();
}

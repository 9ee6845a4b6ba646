// An API server for tests: memory store, seeded chance, a clock of the caller's choice, and short calls.

import { silentLogger } from '../../machinery/logger.ts';
import { seededRandom } from '../../machinery/random.ts';
import { type Clock, systemClock } from '../../machinery/time/clock.ts';

import { createMemoryStore, type Store } from '../../store/store.ts';
import { type ApiServer, type ApiServerOptions, createApiServer } from '../kube-apiserver.ts';

export interface TestServer extends ApiServer {
  readonly store: Store;
  /** One request as an administrator; a failure is an answer like any other. */
  call(method: string, path: string, body?: object, options?: CallOptions): Promise<{ code: number; body: any }>;
  /** The first `count` events of a watch, or those within `ms`, as "ADDED name". */
  watched(path: string, count: number, ms?: number): Promise<string[]>;
}

export interface CallOptions {
  readonly query?: Readonly<Record<string, string>>;
  readonly contentType?: string;
}

const admin = { name: 'system:admin', groups: ['system:masters', 'system:authenticated'] };

export async function startTestServer(
  options: Partial<ApiServerOptions> & { clock?: Clock; namespaces?: readonly string[] } = {},
): Promise<TestServer> {
  const clock = options.clock ?? systemClock;
  const store = options.store ?? createMemoryStore({ clock });
  const api = await createApiServer({ random: seededRandom(1), logger: silentLogger, ...options, clock, store });
  const transport = api.transport(admin);
  const server: TestServer = {
    ...api,
    store,
    async call(method, path, body, { query, contentType } = {}) {
      const [plain, text] = path.split('?');
      const { code, body: answer } = await transport.send({
        method: method as 'GET',
        path: plain,
        query: { ...Object.fromEntries(new URLSearchParams(text)), ...query },
        ...(body && { body }),
        ...(contentType && { contentType }),
      });
      return { code, body: answer };
    },
    async watched(path, count, ms = 500) {
      const [plain, text] = path.split('?');
      const ended = new AbortController();
      const timer = systemClock.after(ms, () => ended.abort());
      const { events, body: status } = await transport.send({
        method: 'GET',
        path: plain,
        query: { ...Object.fromEntries(new URLSearchParams(text)), watch: 'true' },
        signal: ended.signal,
      });
      if (!events) throw new Error(JSON.stringify(status));
      const seen: string[] = [];
      for await (const { type, object } of events) {
        const name = type === 'ERROR' ? object.reason : object.metadata?.name;
        seen.push(`${type} ${name ?? ''}`.trim());
        if (seen.length === count) break;
      }
      timer.cancel();
      return seen;
    },
  };
  for (const name of options.namespaces ?? ['default'])
    await server.call('POST', '/api/v1/namespaces', { metadata: { name } });
  return server;
}

/** The smallest pod that is valid. */
export const pod = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'c', image: 'registry.test/c:1' }], ...spec },
});

export const configMap = (name: string, metadata: object = {}, data: object = { a: '1' }) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
});

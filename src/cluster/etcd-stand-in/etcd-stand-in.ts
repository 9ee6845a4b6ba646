// Replaces etcd in test environments that start one for their API server. It responds to health checks, and names the
// data directory to Coracle's API server, which keeps an embedded store there: so the data outlives the API server.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import { type StandInStore, standInPath } from './protocol.ts';

interface EtcdOptions {
  readonly dataDirectory: string;
  readonly clientUrls: readonly string[];
  /** Default false. */
  readonly unsafeNoFsync?: boolean;
}

/** An invalid command line. The message has the reason. */
export class EtcdUsageError extends Error {
  override readonly name = 'EtcdUsageError';
}

/** As etcd: flags with one dash or two. Flags that are about members and tuning of a real etcd are accepted. */
export function readEtcdFlags(words: readonly string[]): EtcdOptions {
  const flags = new Map<string, string>();
  for (let index = 0; index < words.length; index++) {
    const [, name, value] = /^--?([a-z][a-z0-9-]*)(?:=([\s\S]*))?$/.exec(words[index]) ?? [];
    if (name === undefined) throw new EtcdUsageError(`'${words[index]}' is not a valid flag`);
    const next = words[index + 1];
    if (value !== undefined) flags.set(name, value);
    else if (next === undefined || next.startsWith('-')) flags.set(name, 'true');
    else {
      flags.set(name, next);
      index++;
    }
  }
  const clientUrls = (flags.get('listen-client-urls') ?? 'http://localhost:2379').split(',');
  const foreign = clientUrls.find((url) => !url.startsWith('http://'));
  if (foreign)
    throw new EtcdUsageError(`--listen-client-urls ${foreign}: only http:// is served; run a real etcd for others`);
  return {
    dataDirectory: path.resolve(flags.get('data-dir') ?? 'default.etcd'),
    clientUrls,
    unsafeNoFsync: flags.get('unsafe-no-fsync') === 'true',
  };
}

export interface EtcdStandIn {
  stop(): Promise<void>;
}

/** Resolves when all URLs answer. */
export async function serveEtcdStandIn({
  dataDirectory,
  clientUrls,
  unsafeNoFsync = false,
}: EtcdOptions): Promise<EtcdStandIn> {
  const store: StandInStore = { directory: path.join(dataDirectory, 'coracle'), unsafeNoFsync };
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const found = answers(store)[request.url?.split('?')[0] ?? ''];
    response.writeHead(found ? 200 : 404, { 'content-type': found ? 'application/json' : 'text/plain' });
    response.end(found ?? '404 page not found\n');
  };
  const servers = await Promise.all(
    clientUrls.map(async (text) => {
      const url = new URL(text);
      const server = createServer(handle);
      const host = url.hostname.replace(/^\[|\]$/g, '');
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(Number(url.port || 80), host, resolve);
      });
      return server;
    }),
  );
  return {
    async stop() {
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

const answers = (store: StandInStore): Readonly<Record<string, string>> => ({
  '/health': '{"health":"true","reason":""}',
  '/livez': 'ok\n',
  '/readyz': 'ok\n',
  '/version': '{"etcdserver":"3.6.0","etcdcluster":"3.6.0"}',
  [standInPath]: JSON.stringify(store),
});

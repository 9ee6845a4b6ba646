// A request to an extension API server, shown to it with the front proxy's certificate and the user's name in headers.
// https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/#kubernetes-apiserver-proxies-the-request

import { request as httpsRequest } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import { trusting } from '../../machinery/certificates/trusting.ts';
import { Pieces } from '../../machinery/collections/pieces.ts';
import type { Environment } from '../environment.ts';
import type { UserInfo } from '../request/user.ts';
import type { AggregatedApi } from './aggregation.ts';
import { resolveEndpoint } from './endpoint.ts';

/** Largest discovery or OpenAPI document, in bytes: it is parsed in one turn. */
const largestDocument = 4 << 20;

/** Bytes that a header name may have; others are escaped (RFC 7230, section 3.2.6). */
const tokenByte = /[!#$&'*+\-.^_`|~0-9a-zA-Z]/;

/** Headers that name the user to an extension API server. */
export function userHeaders({ name, uid, groups, extra = {} }: UserInfo): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {
    'x-remote-user': utf8Header(name),
    'x-remote-group': groups.map(utf8Header),
  };
  if (uid) headers['x-remote-uid'] = utf8Header(uid);
  for (const [key, values] of Object.entries(extra)) {
    const escaped = [...Buffer.from(key)].map((byte) => {
      const character = String.fromCharCode(byte);
      return tokenByte.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    });
    headers[`x-remote-extra-${escaped.join('')}`] = values.map(utf8Header);
  }
  return headers;
}

/** Go writes the bytes of a header value as they are. */
const utf8Header = (text: string): string => Buffer.from(text).toString('latin1');

/** Options of a TLS connection to the API's service: its certificate must name the service. */
export function tlsOf(server: Environment, { service, ca, insecure }: AggregatedApi): ConnectionOptions {
  const { proxyClient } = server.config;
  return {
    ...proxyClient,
    ...(ca && trusting(ca)),
    servername: `${service.name}.${service.namespace}.svc`,
    ...(insecure && { rejectUnauthorized: false }),
  };
}

const aggregatorUser: UserInfo = { name: 'system:kube-aggregator', groups: ['system:masters'] };

interface RemoteDocument {
  readonly code: number;
  readonly contentType: string;
  readonly etag: string;
  readonly text: string;
}

interface ReadOptions {
  readonly accept?: string;
  readonly timeoutMs?: number;
  /** Leaves the text out. */
  readonly codeAlone?: boolean;
}

/** Reads a document as the aggregator itself. Rejects when the server cannot be reached in time. */
export async function readRemote(
  server: Environment,
  api: AggregatedApi,
  path: string,
  { accept = 'application/json', timeoutMs = 5_000, codeAlone = false }: ReadOptions = {},
): Promise<RemoteDocument> {
  const { host, port } = await resolveEndpoint(server, api.service);
  const { promise, resolve, reject } = Promise.withResolvers<RemoteDocument>();
  const headers = { accept, ...userHeaders(aggregatorUser) };
  const outgoing = httpsRequest({ host, port, path, headers, agent: false, ...tlsOf(server, api) }, (answer) => {
    const pieces = new Pieces();
    const done = () => {
      const { 'content-type': contentType = '', etag = '' } = answer.headers;
      resolve({ code: answer.statusCode ?? 0, contentType, etag, text: Buffer.concat(pieces.parts()).toString() });
    };
    if (codeAlone) {
      done();
      return void outgoing.destroy();
    }
    answer.on('data', (part: Buffer) => {
      pieces.add(part);
      if (pieces.length > largestDocument) outgoing.destroy(new Error('the document is too large'));
    });
    answer.once('error', reject);
    answer.once('end', done);
  });
  outgoing.once('error', reject);
  const late = () => outgoing.destroy(new Error('context deadline exceeded'));
  const timer = server.clock.after(timeoutMs, late, { background: true });
  outgoing.end();
  return promise.finally(() => timer.cancel());
}

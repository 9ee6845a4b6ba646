// The connection over which a request came, and the credentials that belong to it.

import type { Duplex } from 'node:stream';
import type { UserInfo } from './user.ts';

export interface Connection {
  readonly remoteAddress: string;
  /** The subject of the client's certificate, when it showed one that a trusted CA signed. */
  readonly certificate?: ClientCertificate;
  /** It showed a certificate of the front proxy's CA, with this common name. */
  readonly frontProxy?: string;
  /** It showed a certificate that no trusted CA signed, or that is not valid now: why. */
  readonly certificateFault?: string;
  /** The user of a session of the site: it has authenticated before. */
  readonly user?: UserInfo;
  /** For requests that upgrade (exec, attach, port-forward): takes the socket over. */
  readonly upgrade?: { readonly socket: Duplex; readonly head: Buffer; readonly rawHeaders: readonly string[] };
}

interface ClientCertificate {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly uid?: string;
  /** Hex SHA-256 of the certificate. */
  readonly fingerprint: string;
  /** Expiry in milliseconds since the epoch: a connection may outlast it. */
  readonly notAfterMs?: number;
}

/** The headers of a request over a socket; one from inside the process has none. */
export interface Headers {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Alternating names and values from the socket, including repeated headers. */
  readonly rawHeaders?: readonly string[];
}

/** All values of a header, in order. `name` is in lower case. */
export function headerValues({ headers, rawHeaders }: Headers, name: string): string[] {
  if (!rawHeaders) return headers[name] === undefined ? [] : [headers[name]];
  const values: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i].toLowerCase() === name) values.push(rawHeaders[i + 1]);
  return values;
}

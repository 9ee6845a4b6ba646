// One bounded HTTP request to a server that is not of this cluster: an authorizer, an issuer of tokens, an extender.

import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { trusting } from '../../machinery/certificates/trusting.ts';
import { Pieces } from '../../machinery/collections/pieces.ts';

export interface RemoteServer {
  readonly url: string;
  /** PEM; default: the machine's authorities. */
  readonly ca?: string;
  /** PEM of a client certificate. */
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
  /** Name that the server's certificate must have, where it is not the URL's. */
  readonly serverName?: string;
  /** Accepts any server certificate. */
  readonly insecure?: boolean;
}

export interface RemoteCall {
  /** Sent as JSON by POST, a text as it is; a GET when left out. */
  readonly body?: object | string;
  readonly timeoutMs: number;
  /** Default 1 MB. A longer answer is none. */
  readonly mostBytes?: number;
}

interface RemoteAnswer {
  readonly code: number;
  readonly text: string;
}

/** Rejects with an Error that has the cause. */
export function callRemote(server: RemoteServer, call: RemoteCall): Promise<RemoteAnswer> {
  const { url, ca, cert, key, token, serverName, insecure } = server;
  const { body, timeoutMs, mostBytes = 1 << 20 } = call;
  const text = typeof body === 'object' ? JSON.stringify(body) : body;
  const headers = {
    accept: 'application/json',
    ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    ...(token && { authorization: `Bearer ${token}` }),
  };
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  const late = AbortSignal.timeout(timeoutMs);
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(late.aborted ? new Error(`no answer within ${timeoutMs / 1000}s`) : error);
    const tls = {
      ...{ ...trusting(ca), cert, key },
      ...(serverName && { servername: serverName }),
      ...(insecure && { rejectUnauthorized: false }),
    };
    const request = send(url, { method: text === undefined ? 'GET' : 'POST', headers, ...tls, signal: late });
    request.on('error', fail);
    request.on('response', (response) => {
      const pieces = new Pieces();
      response.on('error', fail);
      response.on('data', (piece: Buffer) => {
        pieces.add(piece);
        if (pieces.length > mostBytes) request.destroy(new Error(`the answer is longer than ${mostBytes} bytes`));
      });
      response.on('end', () =>
        resolve({ code: response.statusCode ?? 0, text: Buffer.concat(pieces.parts()).toString() }),
      );
    });
    request.end(text);
  });
}

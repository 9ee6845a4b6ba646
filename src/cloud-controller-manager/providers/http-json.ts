// One request of JSON over HTTP, with a limit of the answer's size.

import * as http from 'node:http';
import * as https from 'node:https';
import { Pieces } from '../../machinery/collections/pieces.ts';
import { type Fields, isFields } from '../../machinery/parsed.ts';

const mostBytes = 4 * 1024 * 1024;
const longestMessage = 500;

export interface JsonRequest {
  readonly url: URL;
  readonly method: string;
  /** JSON. */
  readonly body?: string | undefined;
  /** Sent as a bearer token. */
  readonly token?: string | undefined;
  readonly agent?: http.Agent;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly code: number;
  readonly text: string;
}

/** Rejects when there is no whole answer. Redirects are not followed. */
export function sendJson({ url, method, body, token, agent, signal }: JsonRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? https : http).request(
      url,
      {
        ...{ method, signal, ...(agent && { agent }) },
        headers: {
          accept: 'application/json',
          'user-agent': 'coracle-cloud-controller-manager',
          ...(body !== undefined && {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
          }),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
      },
      (response) => bodyOf(response).then((text) => resolve({ code: response.statusCode ?? 0, text }), reject),
    );
    request.on('error', reject);
    request.end(body);
  });
}

async function bodyOf(response: http.IncomingMessage): Promise<string> {
  const pieces = new Pieces();
  for await (const piece of response as AsyncIterable<Buffer>) {
    pieces.add(piece);
    if (pieces.length > mostBytes) {
      response.destroy();
      throw new Error('the answer is larger than 4 MiB');
    }
  }
  return Buffer.concat(pieces.parts()).toString('utf8');
}

/** Undefined for a text that is no JSON object. */
export function fieldsOfText(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** One line of printable characters, for events and logs. */
export const plainText = (text: string): string =>
  text
    .replace(/[^\P{C}]+/gu, ' ')
    .trim()
    .slice(0, longestMessage);

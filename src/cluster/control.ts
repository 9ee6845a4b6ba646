// How the other commands reach a running cluster: HTTP over a Unix socket in its data directory, for its owner alone.

import { chmod, rm } from 'node:fs/promises';
import http from 'node:http';
import { pipeline } from 'node:stream/promises';

/**
 * Handlers of one running cluster; each gets the parsed body and returns the JSON response, or the bytes of a long one.
 */
export type ControlHandlers = Readonly<Record<string, (body: unknown) => Promise<unknown>>>;

/** A client that takes no byte for this long is disconnected: the response may hold on to old data. */
const stalledMs = 60_000;

interface ControlServer {
  stop(): Promise<void>;
}

export async function serveControl(socketPath: string, handlers: ControlHandlers): Promise<ControlServer> {
  await rm(socketPath, { force: true });
  const server = http.createServer((request, response) => {
    const handler = handlers[(request.url ?? '/').slice(1)];
    if (!handler) return void response.writeHead(404).end();
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      handler(text ? JSON.parse(text) : undefined)
        .then(async (answer) => {
          if (isBytes(answer)) return sendBytes(response, answer);
          response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer ?? null));
        })
        .catch((error) => {
          if (response.headersSent) response.destroy();
          else response.writeHead(500).end(JSON.stringify({ message: String(error.message) }));
        });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  await chmod(socketPath, 0o600);
  return {
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const isBytes = (answer: unknown): answer is AsyncIterable<Uint8Array> =>
  typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer;

/** The headers follow the first bytes, so that an early error is a separate response. */
async function sendBytes(response: http.ServerResponse, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const iterator = bytes[Symbol.asyncIterator]();
  const first = await iterator.next();
  response.setTimeout(stalledMs, () => response.destroy());
  response.setHeader('Content-Type', 'application/octet-stream');
  const all = async function* () {
    if (!first.done) yield first.value;
    yield* { [Symbol.asyncIterator]: () => iterator };
  };
  await pipeline(all, response);
}

/** The bytes of a long response. Rejects with the handler's error; ends with an error if the cluster ends before. */
export function readControl(socketPath: string, command: string, body: unknown): Promise<AsyncIterable<Uint8Array>> {
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath, path: `/${command}`, method: 'POST' }, (response) => {
      if (response.statusCode === 200) return resolve(response);
      readAll(response).then((text) => reject(new Error(messageOf(text) ?? faultOf(response))), reject);
    });
    request.on('error', reject);
    request.end(JSON.stringify(body));
  });
}

async function readAll(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** The process of a node has fewer commands. */
const faultOf = ({ statusCode }: http.IncomingMessage): string =>
  statusCode === 404
    ? 'this machine is a node: the command belongs on a machine of the control plane'
    : `the cluster answered ${statusCode}`;

const messageOf = (text: string): string | undefined => JSON.parse(text || 'null')?.message;

/** Sends a request to a running cluster. Rejects on timeout, or with the handler's error. */
export function askControl<T>(socketPath: string, command: string, body?: unknown, timeoutMs = 10_000): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { socketPath, path: `/${command}`, method: 'POST', timeout: timeoutMs },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => {
          const answer = JSON.parse(Buffer.concat(chunks).toString() || 'null');
          if (response.statusCode === 200) resolve(answer);
          else reject(new Error(answer?.message ?? faultOf(response)));
        });
      },
    );
    request.on('timeout', () => request.destroy(new Error('the cluster does not answer')));
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

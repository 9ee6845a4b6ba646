// How the other commands reach a running cluster: HTTP over a Unix socket in its data directory, for its owner alone.

import { chmod, rm } from 'node:fs/promises';
import http from 'node:http';

/** Handlers of one running cluster; each gets the parsed body and returns the JSON response. */
export type ControlHandlers = Readonly<Record<string, (body: unknown) => Promise<unknown>>>;

export interface ControlServer {
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
      handler(text ? JSON.parse(text) : undefined).then(
        (answer) => response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer ?? null)),
        (error) => response.writeHead(500).end(JSON.stringify({ message: String(error.message) })),
      );
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
          else reject(new Error(answer?.message ?? `the cluster answered ${response.statusCode}`));
        });
      },
    );
    request.on('timeout', () => request.destroy(new Error('the cluster does not answer')));
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

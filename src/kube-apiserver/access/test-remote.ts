// For tests: an HTTP server with a settable response, which records requests.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TestRemote {
  readonly url: string;
  readonly asked: { readonly path: string; readonly authorization?: string; readonly body: any }[];
  stop(): Promise<void>;
}

export async function startRemote(
  answer: (body: any, count: number) => { code?: number; text: string },
): Promise<TestRemote> {
  const asked: TestRemote['asked'] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const text = Buffer.concat(pieces).toString();
      const body = text ? JSON.parse(text) : undefined;
      const { authorization } = request.headers;
      asked.push({ path: request.url ?? '', ...(authorization && { authorization }), body });
      const { code = 200, text: reply } = answer(body, asked.length);
      response.writeHead(code, { 'content-type': 'application/json' }).end(reply);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/ask`,
    asked,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

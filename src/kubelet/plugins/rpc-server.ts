// A gRPC server of the kubelet at a socket that only root reaches. The packages for gRPC are loaded with the first
// connection: most nodes have no program that connects.

import { chmod, mkdir, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import type { Message, Service } from './rpc.ts';
import type { Acceptor } from './rpc-transport.ts';
import { openSocketPath } from './socket-path.ts';

const mostConnections = 100;

export interface RpcServer {
  stop(): Promise<void>;
}

/** Serves the methods of one service. An Error of an answer is the text of the status Unknown. */
export async function serveRpc(
  socket: string,
  service: Service,
  answers: Readonly<Record<string, (request: Message) => Promise<Message> | Message>>,
): Promise<RpcServer> {
  let loading: Promise<Acceptor> | undefined;
  const connections = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (connection) => {
    connections.add(connection);
    connection.on('error', () => {});
    connection.once('close', () => connections.delete(connection));
    loading ??= import('./rpc-transport.ts').then(({ acceptor }) => acceptor(service, answers));
    loading.then(
      (acceptor) => {
        acceptor.accept(connection);
        connection.resume(); // its bytes have waited for the server
      },
      () => connection.destroy(),
    );
  });
  server.maxConnections = mostConnections;
  await mkdir(path.dirname(socket), { recursive: true, mode: 0o750 });
  await rm(socket, { force: true });
  const reachable = await openSocketPath(socket);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(reachable.path, resolve);
  }).finally(() => reachable.close());
  await chmod(socket, 0o600);
  return {
    async stop() {
      server.close();
      (await loading)?.stop();
      for (const connection of connections) connection.destroy();
      await rm(socket, { force: true });
    },
  };
}

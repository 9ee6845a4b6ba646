// A gRPC server of the kubelet at a socket that only root reaches.

import { chmod, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { must } from '../../machinery/must.ts';
import { decoded, encoded, type Message, type Method } from './rpc.ts';
import { openSocketPath } from './socket-path.ts';

export type Answer = (request: Message) => Promise<Message> | Message;

/** Requests are small. */
const largestRequest = 2 ** 20;
/** Calls of one connection at a time. */
const mostCalls = 100;

export interface RpcServer {
  stop(): Promise<void>;
}

/** Serves the methods of one service. An Error of an answer is the text of the status Unknown. */
export async function serveRpc(
  socket: string,
  methods: ReadonlyMap<string, Method>,
  answers: Readonly<Record<string, Answer>>,
): Promise<RpcServer> {
  const server = new grpc.Server({
    'grpc.max_receive_message_length': largestRequest,
    'grpc.max_concurrent_streams': mostCalls,
  });
  const definition: Record<string, grpc.MethodDefinition<Message, Message>> = {};
  const implementation: Record<string, grpc.handleUnaryCall<Message, Message>> = {};
  for (const [name, { path: at, request, response }] of methods) {
    definition[name] = {
      ...{ path: at, requestStream: false, responseStream: false },
      requestSerialize: (message) => encoded(request, message),
      requestDeserialize: (bytes) => decoded(request, bytes),
      responseSerialize: (message) => encoded(response, message),
      responseDeserialize: (bytes) => decoded(response, bytes),
    };
    const answer = must(answers[name], name);
    implementation[name] = (call, callback) => {
      new Promise<Message>((resolve) => resolve(answer(call.request))).then(
        (message) => callback(null, message),
        (error: Error) => callback({ code: grpc.status.UNKNOWN, details: error.message }),
      );
    };
  }
  server.addService(definition, implementation);
  await mkdir(path.dirname(socket), { recursive: true, mode: 0o750 });
  await rm(socket, { force: true });
  const reachable = await openSocketPath(socket);
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix://${reachable.path}`, grpc.ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  ).finally(() => reachable.close());
  await chmod(socket, 0o600);
  return {
    async stop() {
      server.forceShutdown();
      await rm(socket, { force: true });
    },
  };
}

// The transport of calls between the kubelet and programs on this machine: gRPC over sockets.

import type { Socket } from 'node:net';
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { must } from '../../machinery/must.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { type CallLimits, type Message, RpcError, rpcError, type Service } from './rpc-error.ts';
import { openSocketPath } from './socket-path.ts';

/** A message of these programs is small. gRPC's own limit. */
const largestMessage = 4 * 2 ** 20;
const largestRequest = 2 ** 20;
/** Calls of one connection to the kubelet at a time. */
const mostCalls = 100;

interface Method {
  readonly path: string;
  encodeRequest(message: Message): Buffer;
  decodeRequest(bytes: Buffer): Message;
  encodeResponse(message: Message): Buffer;
  decodeResponse(bytes: Buffer): Message;
}

const plain: protobuf.IConversionOptions = {
  longs: Number,
  enums: String,
  defaults: true,
  arrays: true,
  objects: true,
};
const encoder = (type: protobuf.Type) => (message: Message) =>
  Buffer.from(type.encode(type.fromObject(message)).finish());
const decoder =
  (type: protobuf.Type) =>
  (bytes: Buffer): Message =>
    type.toObject(type.decode(bytes), plain);

const parsed = new WeakMap<Service, ReadonlyMap<string, Method>>();

/** The methods of a service, by name. */
export function methodsOf(service: Service): ReadonlyMap<string, Method> {
  const existing = parsed.get(service);
  if (existing) return existing;
  const found = protobuf.parse(service.proto).root.lookupService(service.name);
  const methods = new Map(
    found.methodsArray.map(({ name, requestType, responseType }): [string, Method] => {
      const [request, response] = [found.lookupType(requestType), found.lookupType(responseType)];
      return [
        name,
        {
          path: `/${service.name}/${name}`,
          ...{ encodeRequest: encoder(request), decodeRequest: decoder(request) },
          ...{ encodeResponse: encoder(response), decodeResponse: decoder(response) },
        },
      ];
    }),
  );
  parsed.set(service, methods);
  return methods;
}

interface Target {
  readonly socket: string;
  readonly service: Service;
  readonly method: string;
}

const methodAt = ({ service, method }: Target): Method => must(methodsOf(service).get(method), method);

export async function callUnary(
  target: Target,
  message: Message,
  { timeoutMs, signal, clock }: CallLimits & { readonly clock: Clock },
): Promise<unknown> {
  const { path: at, encodeRequest, decodeResponse } = methodAt(target);
  const socket = await openSocketPath(target.socket);
  const client = connect(socket.path);
  try {
    return await new Promise((resolve, reject) => {
      const end = (error: RpcError | undefined, answer?: unknown) => {
        timer.cancel();
        signal?.removeEventListener('abort', abort);
        if (error) reject(error);
        else resolve(answer ?? {});
      };
      const call = client.makeUnaryRequest(at, encodeRequest, decodeResponse, message, (error, answer) =>
        end(error ? ofService(error) : undefined, answer),
      );
      const abort = () => {
        end(new RpcError('Canceled', 'context canceled'));
        call.cancel();
      };
      const timer = clock.after(timeoutMs, () => {
        end(new RpcError('DeadlineExceeded', 'context deadline exceeded'));
        call.cancel();
      });
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted) abort();
    });
  } finally {
    client.close();
    await socket.close();
  }
}

export async function* callStream(target: Target, message: Message, signal: AbortSignal): AsyncGenerator<unknown> {
  const { path: at, encodeRequest, decodeResponse } = methodAt(target);
  const socket = await openSocketPath(target.socket);
  const client = connect(socket.path);
  const stream = client.makeServerStreamRequest(at, encodeRequest, decodeResponse, message);
  const cancel = () => stream.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  try {
    yield* stream;
  } catch (error) {
    if (!signal.aborted) throw ofService(error as grpc.ServiceError);
  } finally {
    signal.removeEventListener('abort', cancel);
    stream.cancel();
    client.close();
    await socket.close();
  }
}

/** Reconnects at the latest after this long. */
const longestReconnectMs = 5_000;

/** Holds a connection, and reports each change between connected and not connected, until `signal` aborts. */
export async function followConnection(
  at: string,
  signal: AbortSignal,
  changed: (isConnected: boolean) => void,
): Promise<void> {
  const socket = await openSocketPath(at);
  const client = connect(socket.path, { 'grpc.max_reconnect_backoff_ms': longestReconnectMs });
  const channel = client.getChannel();
  let wasConnected = false;
  while (!signal.aborted) {
    const state = channel.getConnectivityState(true);
    const isConnected = state === grpc.connectivityState.READY;
    if (isConnected !== wasConnected) changed(isConnected);
    wasConnected = isConnected;
    await new Promise<void>((resolve) => {
      const end = () => resolve();
      signal.addEventListener('abort', end, { once: true });
      channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => {
        signal.removeEventListener('abort', end);
        resolve();
      });
    });
  }
  client.close();
  await socket.close();
}

const connect = (socket: string, more: grpc.ClientOptions = {}) =>
  new grpc.Client(`unix://${path.resolve(socket)}`, grpc.credentials.createInsecure(), {
    'grpc.default_authority': 'localhost',
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': largestMessage,
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    ...more,
  });

const ofService = (error: grpc.ServiceError): RpcError => rpcError(error.code, error.details || error.message);

export type Answer = (request: Message) => Promise<Message> | Message;

export interface Acceptor {
  accept(connection: Socket): void;
  stop(): void;
}

/** Serves one service to given connections. An Error of an answer is the text of the status Unknown. */
export function acceptor(service: Service, answers: Readonly<Record<string, Answer>>): Acceptor {
  const server = new grpc.Server({
    'grpc.max_receive_message_length': largestRequest,
    'grpc.max_concurrent_streams': mostCalls,
  });
  const definition: Record<string, grpc.MethodDefinition<Message, Message>> = {};
  const implementation: Record<string, grpc.handleUnaryCall<Message, Message>> = {};
  for (const [name, method] of methodsOf(service)) {
    definition[name] = {
      ...{ path: method.path, requestStream: false, responseStream: false },
      ...{ requestSerialize: method.encodeRequest, requestDeserialize: method.decodeRequest },
      ...{ responseSerialize: method.encodeResponse, responseDeserialize: method.decodeResponse },
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
  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  return {
    accept: (connection) => injector.injectConnection(connection),
    stop() {
      injector.destroy();
      server.forceShutdown();
    },
  };
}

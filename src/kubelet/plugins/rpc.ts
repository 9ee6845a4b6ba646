// gRPC calls to programs on this machine through their sockets: CSI drivers, device plugins, and their registration.
// Such a program may hang, die, or answer anything: each call has a time limit, and each answer a size limit.

import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { must } from '../../machinery/must.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { openSocketPath } from './socket-path.ts';

/** A message as a plain object: fields in camelCase, enums by name. */
export type Message = Readonly<Record<string, unknown>>;

/** A message of these programs is small. gRPC's own limit. */
const largestMessage = 4 * 2 ** 20;
/** Of an error's text: events are limited to 1024 bytes anyway. */
const longestDetails = 4096;

/** As gRPC's Go implementation names the codes: Kubernetes' events have these. */
const codeNames = [
  ...['OK', 'Canceled', 'Unknown', 'InvalidArgument', 'DeadlineExceeded', 'NotFound', 'AlreadyExists'],
  ...['PermissionDenied', 'ResourceExhausted', 'FailedPrecondition', 'Aborted', 'OutOfRange', 'Unimplemented'],
  ...['Internal', 'Unavailable', 'DataLoss', 'Unauthenticated'],
] as const;
export type RpcCode = (typeof codeNames)[number];

/** After one of these, the operation may still be in progress, or may have been done. */
const uncertain: readonly RpcCode[] = ['Canceled', 'DeadlineExceeded', 'Unavailable', 'ResourceExhausted', 'Aborted'];

export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: RpcCode;
  /** The text of the program that was called. */
  readonly details: string;

  constructor(code: RpcCode, details: string) {
    const bounded = details.length > longestDetails ? `${details.slice(0, longestDetails)}...` : details;
    super(`rpc error: code = ${code} desc = ${bounded}`);
    this.code = code;
    this.details = bounded;
  }

  /** The operation has ended and has not been done. */
  get isFinal(): boolean {
    return !uncertain.includes(this.code);
  }
}

type Codec = protobuf.Type;

export interface Method {
  readonly path: string;
  readonly request: Codec;
  readonly response: Codec;
}

const plain: protobuf.IConversionOptions = {
  longs: Number,
  enums: String,
  defaults: true,
  arrays: true,
  objects: true,
};

export const encoded = (codec: Codec, message: Message): Buffer =>
  Buffer.from(codec.encode(codec.fromObject(message)).finish());
export const decoded = (codec: Codec, bytes: Uint8Array): Message => codec.toObject(codec.decode(bytes), plain);

/** The methods of one service, from the text of its protocol. */
export function methodsOf(proto: string, service: string): ReadonlyMap<string, Method> {
  const { root } = protobuf.parse(proto);
  const found = root.lookupService(service);
  return new Map(
    found.methodsArray.map((method) => [
      method.name,
      {
        path: `/${service}/${method.name}`,
        request: found.lookupType(method.requestType),
        response: found.lookupType(method.responseType),
      },
    ]),
  );
}

export interface CallLimits {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** The client of one service at one socket. Each call has its own connection: the program may have been replaced. */
export class RpcClient {
  readonly #socket: string;
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #clock: Clock;

  constructor(socket: string, methods: ReadonlyMap<string, Method>, clock: Clock) {
    this.#socket = socket;
    this.#methods = methods;
    this.#clock = clock;
  }

  /** Rejects with RpcError. The protocol's definition has decoded the answer: T is its shape. */
  async call<T = Message>(name: string, message: Message, { timeoutMs, signal }: CallLimits): Promise<T> {
    const { path: method, request, response } = must(this.#methods.get(name), name);
    const encode = (given: Message) => encoded(request, given);
    const decode = (bytes: Buffer) => decoded(response, bytes);
    const socket = await openSocketPath(this.#socket);
    const client = connect(socket.path);
    try {
      return await new Promise<T>((resolve, reject) => {
        const end = (error: RpcError | undefined, answer?: unknown) => {
          timer.cancel();
          signal?.removeEventListener('abort', abort);
          if (error) reject(error);
          else resolve((answer ?? {}) as T);
        };
        const call = client.makeUnaryRequest(method, encode, decode, message, (error, answer) =>
          end(error ? rpcError(error) : undefined, answer),
        );
        const abort = () => {
          end(new RpcError('Canceled', 'context canceled'));
          call.cancel();
        };
        const timer = this.#clock.after(timeoutMs, () => {
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

  /** Messages until the stream ends. Throws RpcError; ends quietly when `signal` aborts. */
  async *stream<T = Message>(name: string, message: Message, signal: AbortSignal): AsyncGenerator<T> {
    const { path: method, request, response } = must(this.#methods.get(name), name);
    const encode = (given: Message) => encoded(request, given);
    const decode = (bytes: Buffer) => decoded(response, bytes);
    const socket = await openSocketPath(this.#socket);
    const client = connect(socket.path);
    const stream = client.makeServerStreamRequest(method, encode, decode, message);
    const cancel = () => stream.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    try {
      yield* stream as AsyncIterable<T>;
    } catch (error) {
      if (!signal.aborted) throw rpcError(error as grpc.ServiceError);
    } finally {
      signal.removeEventListener('abort', cancel);
      stream.cancel();
      client.close();
      await socket.close();
    }
  }
}

const connect = (socket: string) =>
  new grpc.Client(`unix://${path.resolve(socket)}`, grpc.credentials.createInsecure(), {
    'grpc.default_authority': 'localhost',
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': largestMessage,
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
  });

const rpcError = (error: grpc.ServiceError): RpcError =>
  new RpcError(codeNames[error.code] ?? 'Unknown', error.details || error.message || 'no text');

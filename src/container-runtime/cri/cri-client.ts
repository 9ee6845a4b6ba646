import * as grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { must } from '../../machinery/must.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { RuntimeError } from '../runtime-error.ts';
import { criProto } from './cri-proto.ts';
import type { Responses, StreamMessages } from './responses.ts';

/** A request as a plain object, of a shape in cri-proto.ts: fields in camelCase, enums by name. */
export type Message = Readonly<Record<string, unknown>>;

/** Lists of a full node are larger than gRPC's 4 MB; the kubelet allows 16 MB. */
const largestMessage = 16 * 2 ** 20;
/** The kubelet's runtime-request-timeout. */
const requestTimeoutMs = 120_000;

const plain: protobuf.IConversionOptions = { longs: Number, enums: String, defaults: true };

/** One connection to a CRI v1 runtime. Calls reject with RuntimeError. */
export class CriClient {
  readonly #client: grpc.Client;
  readonly #clock: Clock;
  readonly #methods = new Map<
    string,
    { path: string; encode: (m: Message) => Buffer; decode: (b: Buffer) => unknown }
  >();

  /** `endpoint`: unix:///run/containerd/containerd.sock, or a path. */
  constructor(endpoint: string, clock: Clock) {
    this.#clock = clock;
    const { root } = protobuf.parse(criProto);
    for (const name of ['RuntimeService', 'ImageService']) {
      const service = root.lookupService(`runtime.v1.${name}`);
      for (const method of service.methodsArray) {
        const request = root.lookupType(`runtime.v1.${method.requestType}`);
        const response = root.lookupType(`runtime.v1.${method.responseType}`);
        this.#methods.set(method.name, {
          path: `/runtime.v1.${name}/${method.name}`,
          encode: (message) => Buffer.from(request.encode(request.fromObject(message)).finish()),
          decode: (bytes) => response.toObject(response.decode(bytes), plain),
        });
      }
    }
    this.#client = new grpc.Client(target(endpoint), grpc.credentials.createInsecure(), {
      'grpc.default_authority': 'localhost',
      'grpc.max_receive_message_length': largestMessage,
      'grpc.max_send_message_length': largestMessage,
    });
  }

  call<Method extends keyof Responses>(
    name: Method,
    message: Message = {},
    kind: RuntimeError['kind'] = 'unavailable',
    timeoutMs = requestTimeoutMs,
    signal?: AbortSignal,
  ): Promise<Responses[Method]> {
    const { path, encode, decode } = must(this.#methods.get(name), name);
    const deadline = timeoutMs > 0 ? this.#clock.now() + timeoutMs : undefined;
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(path, encode, decode, message, { deadline }, (error, response) => {
        signal?.removeEventListener('abort', cancel);
        if (error) reject(runtimeError(error, kind));
        // The protocol's definition has decoded it.
        else resolve((response ?? {}) as Responses[Method]);
      });
      const cancel = () => call.cancel();
      signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  /** Messages until the stream ends; throws RuntimeError. Ends quietly when `signal` aborts. */
  async *stream<Method extends keyof StreamMessages>(
    name: Method,
    message: Message,
    signal: AbortSignal,
  ): AsyncGenerator<StreamMessages[Method]> {
    const { path, encode, decode } = must(this.#methods.get(name), name);
    const stream = this.#client.makeServerStreamRequest(path, encode, decode, message);
    const cancel = () => stream.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      yield* stream;
    } catch (error) {
      if (!signal.aborted) throw runtimeError(error as grpc.ServiceError, 'unavailable');
    } finally {
      signal.removeEventListener('abort', cancel);
      stream.cancel();
    }
  }

  close(): void {
    this.#client.close();
  }
}

function target(endpoint: string): string {
  return endpoint.startsWith('/') ? `unix://${endpoint}` : endpoint;
}

function runtimeError(error: grpc.ServiceError, kind: RuntimeError['kind']): RuntimeError {
  const text = error.details || error.message;
  if (error.code === grpc.status.NOT_FOUND) return new RuntimeError('not-found', text, { cause: error });
  if (error.code === grpc.status.UNAVAILABLE) return new RuntimeError('unavailable', text, { cause: error });
  if (error.code === grpc.status.UNIMPLEMENTED) return new RuntimeError('unimplemented', text, { cause: error });
  const timedOut = error.code === grpc.status.DEADLINE_EXCEEDED;
  return new RuntimeError(timedOut ? 'timeout' : kind, text, { cause: error });
}

// gRPC calls to programs on this machine through their sockets: CSI drivers, device plugins, and their registration.
// Such a program may hang, die, or answer anything: each call has a time limit, and each answer a size limit.
// The packages for gRPC are loaded with the first call: most nodes have no such program.

import type { Clock } from '../../machinery/time/clock.ts';
import type { CallLimits, Message, Service } from './rpc-error.ts';

export { type Message, type RpcCode, RpcError, type Service } from './rpc-error.ts';

/** The client of one service at one socket. Each call has its own connection: the program may have been replaced. */
export class RpcClient {
  readonly #socket: string;
  readonly #service: Service;
  readonly #clock: Clock;

  constructor(socket: string, service: Service, clock: Clock) {
    this.#socket = socket;
    this.#service = service;
    this.#clock = clock;
  }

  /** Rejects with RpcError. The protocol's definition has decoded the answer: T is its shape. */
  async call<T = Message>(method: string, message: Message, limits: CallLimits): Promise<T> {
    const { callUnary } = await import('./rpc-transport.ts');
    const answer = await callUnary({ socket: this.#socket, service: this.#service, method }, message, {
      ...limits,
      clock: this.#clock,
    });
    return answer as T;
  }

  /** Messages until the stream ends. Throws RpcError; ends quietly when `signal` aborts. */
  async *stream<T = Message>(method: string, message: Message, signal: AbortSignal): AsyncGenerator<T> {
    const { callStream } = await import('./rpc-transport.ts');
    yield* callStream({ socket: this.#socket, service: this.#service, method }, message, signal) as AsyncGenerator<T>;
  }
}

/** Holds a connection to a socket, and reports each change between connected and not, until `signal` aborts. */
export async function followConnection(
  socket: string,
  signal: AbortSignal,
  changed: (isConnected: boolean) => void,
): Promise<void> {
  const transport = await import('./rpc-transport.ts');
  await transport.followConnection(socket, signal, changed);
}

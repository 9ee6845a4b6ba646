// DNS over TCP (RFC 7766): two bytes before each message are its length. A connection has one question at a time, so
// that a client which does not read its answers holds one of them.

import type net from 'node:net';
import { Shares } from '../machinery/shares.ts';
import { drained } from '../machinery/time/drained.ts';

/** A connection without traffic is closed after this time, as in CoreDNS. */
const idleMs = 10_000;
const mostConnections = 1_024;
/** Of one address. */
const mostOfOne = 64;
const lengthBytes = 2;

type AnswerTo = (query: Buffer) => Promise<Buffer | undefined>;

export class TcpConnections {
  readonly #answerTo: AnswerTo;
  readonly #sockets = new Set<net.Socket>();
  readonly #shares = new Shares(mostConnections, mostOfOne);

  /** A connection ends with the first message that has no answer. */
  constructor(answerTo: AnswerTo) {
    this.#answerTo = answerTo;
  }

  serve(socket: net.Socket): void {
    const address = socket.remoteAddress ?? '';
    socket.on('error', () => socket.destroy());
    if (!this.#shares.take(address)) return void socket.destroy();
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#shares.release(address);
    });
    socket.setTimeout(idleMs, () => socket.destroy());
    this.#answerAll(socket).then(
      () => socket.destroySoon(),
      () => socket.destroy(),
    );
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #answerAll(socket: net.Socket): Promise<void> {
    let received: Buffer = Buffer.alloc(0);
    // The last answers are still to be sent at the end of the input.
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      received = Buffer.concat([received, chunk as Buffer]);
      for (let query = firstOf(received); query; query = firstOf(received)) {
        received = received.subarray(lengthBytes + query.length);
        const answer = await this.#answerTo(query);
        if (!answer || socket.destroyed) return;
        if (!socket.write(framed(answer))) await drained(socket);
      }
    }
  }
}

/** The first message, if it is complete. */
function firstOf(received: Buffer): Buffer | undefined {
  if (received.length < lengthBytes) return undefined;
  const end = lengthBytes + received.readUInt16BE(0);
  return received.length < end ? undefined : received.subarray(lengthBytes, end);
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

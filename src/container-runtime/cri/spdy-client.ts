// SPDY/3.1, client side, for the streaming URLs of CRI runtimes (exec, attach, port-forward): streams over one upgraded
// connection. WebSocket's v4 protocol cannot signal the end of input to a command.
//
// Peers use Go's spdystream: it has no flow control, it accepts headers compressed without the preset dictionary, and
// this client ignores the headers that it sends.

import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { constants, createDeflate, type Deflate } from 'node:zlib';
import { RuntimeError } from '../runtime-error.ts';

const type = { synStream: 1, rstStream: 3, ping: 6, goAway: 7 } as const;
const fin = 1;

interface SpdyConnection {
  /** Opens a stream with these headers. */
  open(headers: Readonly<Record<string, string>>): Promise<Duplex>;
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>;
  close(): void;
}

/** Upgrades a connection to `url`. Rejects with RuntimeError('unavailable') when it is refused. */
export async function dialSpdy(url: string, protocols: readonly string[]): Promise<SpdyConnection> {
  const { hostname, port, pathname, search, host } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port || 80) });
  socket.setNoDelay(true);
  const head = [
    `POST ${pathname}${search} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: SPDY/3.1',
    ...protocols.map((protocol) => `X-Stream-Protocol-Version: ${protocol}`),
    'Content-Length: 0',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  const rest = await upgraded(socket);
  return new Connection(socket, rest);
}

function upgraded(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let data = Buffer.alloc(0);
    const fail = (why: string) => {
      socket.destroy();
      reject(new RuntimeError('unavailable', `streaming connection failed: ${why}`));
    };
    const failed = (error: Error) => fail(error.message);
    const closed = () => fail('connection closed');
    const read = (chunk: Buffer) => {
      data = Buffer.concat([data, chunk]);
      const end = data.indexOf('\r\n\r\n');
      if (end < 0) return;
      const status = data.subarray(0, data.indexOf('\r\n')).toString();
      if (!/^HTTP\/1\.1 101/.test(status)) return fail(`${status}: ${data.subarray(end + 4)}`);
      socket.off('data', read);
      socket.off('error', failed);
      socket.off('close', closed);
      resolve(data.subarray(end + 4));
    };
    socket.on('data', read);
    socket.once('error', failed);
    socket.once('close', closed);
  });
}

class Connection implements SpdyConnection {
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #streams = new Map<number, SpdyStream>();
  /** One for the whole connection: each header block continues the one before. */
  readonly #deflate: Deflate = createDeflate();
  #deflating: Promise<unknown> = Promise.resolve();
  #nextId = 1;
  #data: Buffer;

  constructor(socket: Socket, rest: Buffer) {
    this.#socket = socket;
    this.#data = rest;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.#data = this.#data.length > 0 ? Buffer.concat([this.#data, chunk]) : chunk;
      this.#parse();
    });
    this.closed = new Promise((resolve) =>
      socket.once('close', () => {
        for (const stream of this.#streams.values()) stream.end_();
        this.#streams.clear();
        this.#deflate.close();
        resolve();
      }),
    );
    this.#parse();
  }

  open(headers: Readonly<Record<string, string>>): Promise<Duplex> {
    const opened = this.#deflating.then(async () => {
      const block = await this.#compress(headerBlock(headers));
      const id = this.#nextId;
      this.#nextId += 2;
      const stream = new SpdyStream((data, last) => this.#send(id, data, last));
      this.#streams.set(id, stream);
      const payload = Buffer.alloc(10 + block.length);
      payload.writeUInt32BE(id, 0);
      block.copy(payload, 10);
      this.#control(type.synStream, payload);
      return stream;
    });
    this.#deflating = opened.catch(() => {});
    return opened;
  }

  close(): void {
    this.#socket.destroy();
  }

  #compress(block: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      const read = (chunk: Buffer) => chunks.push(chunk);
      this.#deflate.on('data', read);
      this.#deflate.once('error', reject);
      this.#deflate.write(block);
      this.#deflate.flush(constants.Z_SYNC_FLUSH, () => {
        this.#deflate.off('data', read);
        this.#deflate.off('error', reject);
        resolve(Buffer.concat(chunks));
      });
    });
  }

  #parse(): void {
    while (this.#data.length >= 8) {
      const length = this.#data.readUInt32BE(4) & 0xffffff;
      if (this.#data.length < 8 + length) return;
      const control = (this.#data[0] & 0x80) !== 0;
      const first = this.#data.readUInt32BE(0);
      const flags = this.#data[4];
      const payload = this.#data.subarray(8, 8 + length);
      this.#data = this.#data.subarray(8 + length);
      if (control) this.#onControl(first & 0xffff, payload);
      else this.#streams.get(first & 0x7fffffff)?.receive(payload, (flags & fin) !== 0);
    }
  }

  #onControl(kind: number, payload: Buffer): void {
    if (kind === type.ping) this.#control(type.ping, payload);
    if (kind === type.goAway) this.#socket.end();
    if (kind === type.rstStream) this.#streams.get(payload.readUInt32BE(0) & 0x7fffffff)?.end_();
  }

  #control(kind: number, payload: Buffer): void {
    const head = Buffer.alloc(8);
    head.writeUInt32BE((0x80030000 | kind) >>> 0, 0);
    head.writeUInt32BE(payload.length, 4);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  #send(id: number, data: Buffer, last: boolean): boolean {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(id, 0);
    head.writeUInt32BE(data.length, 4);
    if (last) head[4] = fin;
    return this.#socket.write(data.length > 0 ? Buffer.concat([head, data]) : head);
  }
}

class SpdyStream extends Duplex {
  readonly #send: (data: Buffer, last: boolean) => boolean;

  constructor(send: (data: Buffer, last: boolean) => boolean) {
    super({ allowHalfOpen: true });
    this.#send = send;
    this.on('error', () => {});
  }

  receive(data: Buffer, last: boolean): void {
    if (this.readableEnded) return;
    if (data.length > 0) this.push(Buffer.from(data));
    if (last) this.push(null);
  }

  end_(): void {
    if (!this.readableEnded) this.push(null);
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    // Frames have a length of 24 bits.
    for (let at = 0; at < chunk.length; at += 2 ** 20) this.#send(chunk.subarray(at, at + 2 ** 20), false);
    done();
  }

  override _final(done: () => void): void {
    this.#send(Buffer.alloc(0), true);
    done();
  }
}

function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const word = (text: string) => {
    const bytes = Buffer.from(text);
    const size = Buffer.alloc(4);
    size.writeUInt32BE(bytes.length);
    return [size, bytes];
  };
  const entries = Object.entries(headers);
  const count = Buffer.alloc(4);
  count.writeUInt32BE(entries.length);
  return Buffer.concat([count, ...entries.flatMap(([name, value]) => [...word(name), ...word(value)])]);
}

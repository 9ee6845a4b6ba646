// SPDY/3.1 framing, server side, as far as Kubernetes' exec, attach and port-forward use it: streams opened by the
// client, data both ways, half-close, reset, ping. No flow control: neither kubectl nor client-go uses it.
// https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/

import { Duplex } from 'node:stream';
import { constants, createDeflate, createInflate } from 'node:zlib';
import { nextTurn } from '../../../machinery/time/turn.ts';
import { spdyDictionary } from './spdy-dictionary.ts';

const version = 3;
const frames = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;
const flagFin = 1;
const headerBytes = 8;
/** Frames have a 24-bit length; smaller ones let streams share the connection. */
const maxDataBytes = 32 * 1024;
/** Valid clients send no larger control frames, and no longer headers: a small frame may inflate to a gigabyte. */
const maxControlBytes = 32 * 1024;
/** Frames between two turns of the event loop. */
const framesOfTurn = 256;
/** A client that does not read gets no more answers. */
const mostPendingBytes = 64 * 1024;
/** Streams of one connection: kubectl opens two for each forwarded one. */
const maxStreams = 1_000;

export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly #session: SpdySession;

  constructor(session: SpdySession, id: number, headers: ReadonlyMap<string, string>) {
    super({ allowHalfOpen: true });
    this.#session = session;
    this.id = id;
    this.headers = headers;
  }

  override _read(): void {
    this.#session.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    for (let at = 0; at < chunk.length; at += maxDataBytes)
      this.#session.sendData(this.id, chunk.subarray(at, at + maxDataBytes), false);
    this.#session.whenDrained(done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#session.sendData(this.id, Buffer.alloc(0), true);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#session.forget(this.id, error !== null);
    done(error);
  }
}

export class SpdySession {
  readonly #connection: Duplex;
  readonly #onStream: (stream: SpdyStream) => void;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #inflate = createInflate({ dictionary: spdyDictionary, finishFlush: constants.Z_SYNC_FLUSH });
  readonly #deflate = createDeflate({ dictionary: spdyDictionary });
  #buffered: Buffer = Buffer.alloc(0);
  #inflated: Buffer[] = [];
  #inflatedBytes = 0;
  #deflated: Buffer[] = [];
  #lastStream = 0;
  #frames = 0;
  /** The data frame whose bytes arrive: a large one is not gathered, because it may have 16 MB. */
  #arriving: { readonly id: number; readonly isLast: boolean; left: number } | undefined;
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>;

  /** Takes the connection over; `onStream` gets each stream that the client opens. */
  constructor(connection: Duplex, onStream: (stream: SpdyStream) => void) {
    this.#connection = connection;
    this.#onStream = onStream;
    this.#inflate.on('data', (chunk: Buffer) => {
      this.#inflatedBytes += chunk.length;
      if (this.#inflatedBytes > maxControlBytes) this.#inflate.destroy();
      else this.#inflated.push(chunk);
    });
    this.#deflate.on('data', (chunk: Buffer) => this.#deflated.push(chunk));
    this.#inflate.on('error', (error) => this.close(error));
    this.closed = new Promise((resolve) => connection.once('close', resolve));
    connection.on('error', () => {}); // 'close' follows and ends the streams
    void this.#run();
  }

  async #run(): Promise<void> {
    try {
      for await (const chunk of this.#connection) {
        this.#buffered = this.#buffered.length > 0 ? Buffer.concat([this.#buffered, chunk]) : chunk;
        await this.#readFrames();
      }
    } catch {
      // A broken connection is an ended one.
    } finally {
      for (const stream of [...this.#streams.values()]) {
        stream.push(null);
        if (!stream.writableFinished) stream.destroy();
      }
      this.#inflate.close();
      this.#deflate.close();
      this.#connection.destroy();
    }
  }

  async #readFrames(): Promise<void> {
    for (;;) {
      if (this.#arriving && !(await this.#readData(this.#arriving))) return;
      if (this.#buffered.length < headerBytes) return;
      const length = this.#buffered.readUIntBE(5, 3);
      const isControl = (this.#buffered[0] & 0x80) !== 0;
      if (isControl && length > maxControlBytes) throw new Error('SPDY control frame too large');
      if (length <= maxControlBytes && this.#buffered.length < headerBytes + length) return;
      if (++this.#frames % framesOfTurn === 0) await nextTurn();
      const head = this.#take(headerBytes);
      if (isControl) await this.#control(head.readUInt16BE(2), head[4], this.#take(length));
      else {
        const id = head.readUInt32BE(0) & 0x7fffffff;
        this.#arriving = { id, isLast: (head[4] & flagFin) !== 0, left: length };
      }
    }
  }

  #take(length: number): Buffer {
    const bytes = this.#buffered.subarray(0, length);
    this.#buffered = this.#buffered.subarray(length);
    return bytes;
  }

  /** False while bytes of the frame are missing. */
  async #readData(frame: { readonly id: number; readonly isLast: boolean; left: number }): Promise<boolean> {
    const bytes = this.#take(frame.left);
    frame.left -= bytes.length;
    const isWhole = frame.left === 0;
    if (isWhole) this.#arriving = undefined;
    await this.#data(frame.id, isWhole && frame.isLast, bytes);
    return isWhole;
  }

  async #control(type: number, flags: number, body: Buffer): Promise<void> {
    switch (type) {
      case frames.synStream:
        return this.#open(body, flags);
      case frames.rstStream: {
        const stream = this.#streams.get(body.readUInt32BE(0) & 0x7fffffff);
        this.#streams.delete(stream?.id ?? 0);
        stream?.push(null);
        stream?.destroy();
        return;
      }
      case frames.ping:
        // The client's pings have odd ids, and are echoed.
        if (body.readUInt32BE(0) & 1 && this.#connection.writableLength < mostPendingBytes)
          this.#send(controlFrame(frames.ping, 0, body));
        return;
      case frames.headers:
        await this.#headersOf(body.subarray(4)); // updates the compression state
        if (flags & flagFin) this.#streams.get(body.readUInt32BE(0) & 0x7fffffff)?.push(null);
        return;
      default: // SETTINGS, GOAWAY, WINDOW_UPDATE: nothing to do
        return;
    }
  }

  async #open(body: Buffer, flags: number): Promise<void> {
    const id = body.readUInt32BE(0) & 0x7fffffff;
    if (this.#streams.size >= maxStreams) throw new Error('too many SPDY streams');
    if (id <= this.#lastStream) throw new Error('the numbers of SPDY streams must increase');
    this.#lastStream = id;
    // Each stream is answered.
    if (this.#connection.writableLength >= mostPendingBytes)
      await new Promise<void>((resolve) => this.whenDrained(resolve));
    const headers = await this.#headersOf(body.subarray(10));
    const stream = new SpdyStream(this, id, headers);
    this.#streams.set(id, stream);
    stream.on('error', () => {}); // its user gets it; without a listener, an error would end the process
    const reply = Buffer.alloc(4);
    reply.writeUInt32BE(id);
    this.#send(controlFrame(frames.synReply, 0, Buffer.concat([reply, await this.#compress(new Map())])));
    if (flags & flagFin) stream.push(null);
    this.#onStream(stream);
  }

  async #data(id: number, isLast: boolean, body: Buffer): Promise<void> {
    const stream = this.#streams.get(id);
    if (!stream) return;
    // A slow reader pauses the connection: streams have no flow control.
    if (body.length > 0 && !stream.push(Buffer.from(body)))
      await new Promise<void>((resolve) => this.#resumed.push(resolve));
    if (isLast) stream.push(null);
  }

  readonly #resumed: (() => void)[] = [];

  resume(): void {
    for (const resolve of this.#resumed.splice(0)) resolve();
  }

  /** Name/value pairs: a count, then length-prefixed names and values, compressed over the whole connection. */
  async #headersOf(block: Buffer): Promise<Map<string, string>> {
    this.#inflated = [];
    this.#inflatedBytes = 0;
    await new Promise<void>((resolve, reject) =>
      this.#inflate.write(block, (error) => (error ? reject(error) : resolve())),
    );
    if (this.#inflatedBytes > maxControlBytes) throw new Error('SPDY headers too long');
    const bytes = Buffer.concat(this.#inflated);
    const headers = new Map<string, string>();
    let at = 4;
    const text = () => {
      const length = bytes.readUInt32BE(at);
      const value = bytes.toString('utf8', at + 4, at + 4 + length);
      at += 4 + length;
      return value;
    };
    for (let left = bytes.readUInt32BE(0); left > 0; left--) headers.set(text().toLowerCase(), text());
    return headers;
  }

  async #compress(headers: ReadonlyMap<string, string>): Promise<Buffer> {
    const parts: Buffer[] = [uint32(headers.size)];
    for (const pair of headers) for (const text of pair) parts.push(uint32(Buffer.byteLength(text)), Buffer.from(text));
    this.#deflated = [];
    this.#deflate.write(Buffer.concat(parts));
    await new Promise<void>((resolve) => this.#deflate.flush(constants.Z_SYNC_FLUSH, () => resolve()));
    return Buffer.concat(this.#deflated);
  }

  sendData(id: number, bytes: Buffer, fin: boolean): void {
    const head = Buffer.alloc(headerBytes);
    head.writeUInt32BE(id & 0x7fffffff, 0);
    head[4] = fin ? flagFin : 0;
    head.writeUIntBE(bytes.length, 5, 3);
    this.#send(head);
    if (bytes.length > 0) this.#send(bytes);
  }

  whenDrained(done: () => void): void {
    if (this.#connection.destroyed || !this.#connection.writableNeedDrain) done();
    else {
      const finish = () => {
        this.#connection.off('drain', finish);
        this.#connection.off('close', finish);
        done();
      };
      this.#connection.on('drain', finish);
      this.#connection.on('close', finish);
    }
  }

  forget(id: number, failed: boolean): void {
    this.resume(); // its reader is gone: other streams must not wait for it
    if (!this.#streams.delete(id) || !failed) return;
    const internalError = 6;
    this.#send(controlFrame(frames.rstStream, 0, Buffer.concat([uint32(id), uint32(internalError)])));
  }

  #send(bytes: Buffer): void {
    if (!this.#connection.destroyed && !this.#connection.writableEnded) this.#connection.write(bytes);
  }

  /** Sends GOAWAY and closes the connection after pending output. */
  close(_error?: Error): void {
    this.#send(controlFrame(frames.goAway, 0, Buffer.concat([uint32(this.#lastStream), uint32(0)])));
    this.#connection.end();
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function controlFrame(type: number, flags: number, body: Buffer): Buffer {
  const head = Buffer.alloc(headerBytes);
  head.writeUInt16BE(0x8000 | version, 0);
  head.writeUInt16BE(type, 2);
  head[4] = flags;
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

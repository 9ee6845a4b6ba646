// Names that are not the cluster's go to the resolvers of the machine.

import dgram from 'node:dgram';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import type { Clock } from '../machinery/time/clock.ts';
import { headerBytes } from './responses.ts';

const timeoutMs = 2_000;
/** Most questions in progress, as in Kubernetes' configuration of CoreDNS: each has a socket. */
const mostQuestions = 1_000;
/** The file of the resolvers is read again after this time. */
const freshMs = 1_000;

/** nameserver lines of a resolv.conf. */
export async function resolversOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1]);
}

/** The limit of questions in progress is reached. */
export class TooManyQuestions extends Error {
  override readonly name = 'TooManyQuestions';
}

/** The resolvers of one file, without the server's own addresses. */
export class Upstream {
  readonly #file: string;
  readonly #own: readonly string[];
  readonly #clock: Clock;
  #resolvers: { readonly readMs: number; readonly found: Promise<string[]> } | undefined;
  #questions = 0;

  constructor(file: string, own: readonly string[], clock: Clock) {
    this.#file = file;
    this.#own = own;
    this.#clock = clock;
  }

  /** Rejects if all resolvers fail, or with TooManyQuestions. */
  async ask(query: Buffer, overTcp: boolean): Promise<Buffer> {
    if (this.#questions >= mostQuestions) throw new TooManyQuestions();
    this.#questions++;
    try {
      return await ask(await this.#read(), query, overTcp, this.#clock);
    } finally {
      this.#questions--;
    }
  }

  #read(): Promise<string[]> {
    const now = this.#clock.monotonic();
    if (!this.#resolvers || now - this.#resolvers.readMs > freshMs) {
      const found = resolversOf(this.#file).then((all) => all.filter((resolver) => !this.#own.includes(resolver)));
      this.#resolvers = { readMs: now, found };
    }
    return this.#resolvers.found;
  }
}

/** The first response of the resolvers, tried in order; rejects if all fail. */
export async function ask(
  resolvers: readonly string[],
  query: Buffer,
  overTcp: boolean,
  clock: Clock,
  port = 53,
): Promise<Buffer> {
  let last: unknown = new Error('there is no upstream resolver');
  for (const resolver of resolvers) {
    try {
      return overTcp ? await askTcp(resolver, port, query, clock) : await askUdp(resolver, port, query, clock);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

const isAnswer = (bytes: Buffer, query: Buffer): boolean =>
  bytes.length >= headerBytes && bytes.readUInt16BE(0) === query.readUInt16BE(0) && (bytes[2] & 0x80) !== 0;

function askUdp(resolver: string, port: number, query: Buffer, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket(resolver.includes(':') ? 'udp6' : 'udp4');
    let isOver = false;
    const end = (finish: () => void) => {
      if (isOver) return;
      isOver = true;
      timer.cancel();
      socket.close();
      finish();
    };
    const timer = clock.after(timeoutMs, () => end(() => reject(new Error(`${resolver} does not answer`))));
    socket.on('error', (error) => end(() => reject(error)));
    socket.on('message', (answer) => {
      if (isAnswer(answer, query)) end(() => resolve(answer));
    });
    // The kernel drops datagrams of other senders.
    socket.connect(port, resolver);
    socket.once('connect', () => {
      if (!isOver) socket.send(query);
    });
  });
}

function askTcp(resolver: string, port: number, query: Buffer, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, resolver);
    const timer = clock.after(timeoutMs, () => socket.destroy(new Error(`${resolver} does not answer`)));
    let received = Buffer.alloc(0);
    socket.once('error', reject);
    socket.once('close', () => {
      timer.cancel();
      reject(new Error(`${resolver} closed the connection`)); // without effect after an answer
    });
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const answer = received.subarray(2, 2 + received.readUInt16BE(0));
      if (isAnswer(answer, query)) resolve(answer);
      socket.destroy();
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    socket.write(Buffer.concat([length, query]));
  });
}

// Names that are not the cluster's go to the resolvers of the machine.

import dgram from 'node:dgram';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import type { Clock } from '../machinery/time/clock.ts';

const timeoutMs = 2_000;

/** nameserver lines of a resolv.conf. */
export async function resolversOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1]);
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

function askUdp(resolver: string, port: number, query: Buffer, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket(resolver.includes(':') ? 'udp6' : 'udp4');
    const end = (finish: () => void) => {
      timer.cancel();
      socket.close();
      finish();
    };
    const timer = clock.after(timeoutMs, () => end(() => reject(new Error(`${resolver} does not answer`))));
    socket.once('error', (error) => end(() => reject(error)));
    socket.on('message', (answer) => {
      if (answer.readUInt16BE(0) === query.readUInt16BE(0)) end(() => resolve(answer));
    });
    socket.send(query, port, resolver);
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
      resolve(received.subarray(2, 2 + received.readUInt16BE(0)));
      socket.destroy();
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    socket.write(Buffer.concat([length, query]));
  });
}

// Connections through a SOCKS5 proxy. RFC 1928, and RFC 1929 for a user name and password.

import type { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import { parseIp } from '../../machinery/ip.ts';

const patienceMs = 30_000;

type Done = (error: Error | null, stream?: Duplex) => void;
interface Target extends tls.ConnectionOptions {
  readonly host?: string;
  readonly port?: number;
  readonly protocol?: string;
}

/** The agent's connections begin at the proxy. TLS is that of the server. */
export function connectThroughSocks(agent: Agent, proxy: URL): void {
  const plain = (target: Target) => socksTo(proxy, target.host ?? '', Number(target.port));
  const isSecure = 'maxCachedSessions' in agent;
  Object.assign(agent, {
    createConnection(target: Target, done: Done) {
      plain(target).then(
        (socket) => done(null, isSecure ? tls.connect({ ...target, socket }) : socket),
        (error) => done(error),
      );
    },
  });
}

/** The proxy looks names up, as socks5h:// says: Go's client does so for both schemes. */
async function socksTo(proxy: URL, host: string, port: number): Promise<Socket> {
  const socket = connect({ host: proxy.hostname.replace(/^\[|\]$/g, ''), port: Number(proxy.port || 1080) });
  const fail = (what: string) => new Error(`SOCKS5 proxy ${proxy.host}: ${what}`);
  const timer = () => socket.destroy(fail('no answer'));
  socket.setTimeout(patienceMs, timer);
  const read = readerOf(socket, fail);
  try {
    const [user, password] = [decodeURIComponent(proxy.username), decodeURIComponent(proxy.password)];
    socket.write(Buffer.from(user ? [5, 2, 0, 2] : [5, 1, 0]));
    const [version, method] = await read(2);
    if (version !== 5) throw fail('it is no SOCKS5 proxy');
    if (method === 2 && user) await signIn(socket, read, user, password, fail);
    else if (method !== 0) throw fail('it accepts no way of authentication that is known here');
    const address = addressOf(host);
    if (!address) throw fail('the name of the server is too long');
    socket.write(Buffer.concat([Buffer.from([5, 1, 0]), address, Buffer.from([port >> 8, port & 255])]));
    const [, reply, , type] = await read(4);
    if (reply !== 0) throw fail(`it refuses the connection to ${host}:${port} (code ${reply})`);
    const length = type === 1 ? 4 : type === 4 ? 16 : (await read(1))[0];
    await read(length + 2);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  read.end();
  socket.off('timeout', timer);
  socket.setTimeout(0);
  return socket;
}

/** With its type. Undefined: too long. */
function addressOf(host: string): Buffer | undefined {
  const ip = parseIp(host);
  if (ip) {
    const digits = ip.value.toString(16).padStart(ip.family === 4 ? 8 : 32, '0');
    return Buffer.concat([Buffer.from([ip.family === 4 ? 1 : 4]), Buffer.from(digits, 'hex')]);
  }
  const name = Buffer.from(host);
  return name.length > 255 ? undefined : Buffer.concat([Buffer.from([3, name.length]), name]);
}

type Reader = ((length: number) => Promise<Buffer>) & { end(): void };

async function signIn(
  socket: Socket,
  read: Reader,
  user: string,
  password: string,
  fail: (what: string) => Error,
): Promise<void> {
  const [name, secret] = [Buffer.from(user), Buffer.from(password)];
  if (name.length > 255 || secret.length > 255) throw fail('the user name or password is too long');
  socket.write(Buffer.concat([Buffer.from([1, name.length]), name, Buffer.from([secret.length]), secret]));
  const [, code] = await read(2);
  if (code !== 0) throw fail('it does not accept the user name and password');
}

/** Reads exactly so many bytes at a time. */
function readerOf(socket: Socket, fail: (what: string) => Error): Reader {
  const read = (length: number) =>
    new Promise<Buffer>((resolve, reject) => {
      const look = () => {
        const bytes: Buffer | null = socket.read(length);
        if (bytes === null) return;
        stop();
        resolve(bytes);
      };
      const gone = (error?: Error | boolean) => {
        stop();
        reject(error instanceof Error ? error : fail('it ended the connection'));
      };
      const stop = () => {
        socket.off('readable', look).off('error', gone).off('close', gone);
      };
      socket.on('readable', look).on('error', gone).on('close', gone);
      look();
    });
  return Object.assign(read, { end: () => void socket.removeAllListeners('readable') });
}

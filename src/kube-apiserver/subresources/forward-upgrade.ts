// Connections that leave HTTP: the client's socket is joined to one of the backend, once the backend agreed to it.

import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { Reply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { plainError } from '../status.ts';
import { DialTimeout, dialFault } from './dial-fault.ts';
import { type Headers, inRequestLine } from './forward.ts';
import { upgradeHeaders } from './forward-headers.ts';
import type { Upstream } from './kubelet-address.ts';

/** Go's time to connect. */
const dialMs = 30_000;
/** Timeout of reading a backend's error response. */
const refusalMs = 10_000;
const mostHeadBytes = 1 << 20;

/** Joins the client's socket and one to the upstream: from here on bytes pass unread. */
export async function forwardUpgrade(
  request: ApiRequest,
  upstream: Upstream,
  path: string,
  added: Headers = {},
): Promise<Reply> {
  const upgrade = request.connection?.upgrade;
  if (!upgrade) throw new Error('the request asks for no upgrade');
  const { socket, head } = upgrade;
  const far = await dial(request, upstream);
  const gone = () => far.destroy();
  socket.once('close', gone);
  if (socket.destroyed) gone();
  const lines = upgradeHeaders(request, added).map(([name, value]) => `${name}: ${value}`);
  far.write(`${request.method} ${inRequestLine(path)} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  if (head.length) far.write(head);
  const { code, bytes } = await headOf(far, upstream);
  if (code !== 101 && code < 400) {
    far.destroy();
    throw plainError(`invalid upgrade response: status code ${code}`);
  }
  if (code !== 101 && request.proxyPrefix) {
    far.destroy();
    throw plainError(`the backend refused the upgrade: status code ${code}`);
  }
  // The backend's error response is forwarded.
  if (code !== 101) {
    const timer = request.server.clock.after(refusalMs, () => socket.destroy(), { background: true });
    socket.once('close', () => timer.cancel());
  }
  socket.off('close', gone);
  socket.write(request.proxyPrefix ? withoutCookies(bytes) : bytes);
  join(socket, far);
  join(far, socket);
  return { type: 'hijacked', code };
}

/** Browsers store the cookies of a WebSocket's head: those of a pod would be the console's. */
function withoutCookies(bytes: Buffer): Buffer {
  const end = bytes.indexOf('\r\n\r\n');
  const lines = bytes.toString('latin1', 0, end).split('\r\n');
  const kept = lines.filter(
    (line) => !/^\s*(set-cookie|clear-site-data|alt-svc|strict-transport-security)\s*:/i.test(line),
  );
  return Buffer.concat([Buffer.from(kept.join('\r\n'), 'latin1'), bytes.subarray(end)]);
}

function dial(request: ApiRequest, upstream: Upstream): Promise<Socket> {
  const { host, port, tls } = upstream;
  return new Promise((resolve, reject) => {
    const connection = tls ? connectTls({ host, port, ...tls }) : connectTcp({ host, port });
    const timer = request.server.clock.after(dialMs, () => connection.destroy(new DialTimeout()), {
      background: true,
    });
    connection.setNoDelay(true);
    connection.once(tls ? 'secureConnect' : 'connect', () => {
      timer.cancel();
      resolve(connection);
    });
    connection.on('error', (error: Error) => {
      timer.cancel();
      reject(plainError(`error dialing backend: ${dialFault(error, upstream)}`));
    });
  });
}

/** The head of the backend's response, with the data after it; the socket is paused. */
function headOf(far: Socket, upstream: Upstream): Promise<{ code: number; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const done = () => {
      far.pause();
      far.off('data', data).off('end', ended).off('close', ended).off('error', failed);
    };
    const refuse = (why: string) => {
      done();
      far.destroy();
      reject(plainError(why));
    };
    const data = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0 && bytes.length < mostHeadBytes) return;
      const line = bytes.toString('latin1', 0, Math.max(bytes.indexOf('\r\n'), 0));
      const code = /^HTTP\/\d\.\d (\d{3})\b/.exec(line)?.[1];
      if (end < 0 || !code) return refuse(`malformed HTTP response ${JSON.stringify(line.slice(0, 100))}`);
      done();
      resolve({ code: Number(code), bytes });
    };
    const ended = () => refuse(bytes.length ? 'unexpected EOF' : 'EOF');
    const failed = (error: Error) => refuse(dialFault(error, upstream));
    far.on('data', data).on('end', ended).on('close', ended).on('error', failed);
  });
}

function join(from: Duplex, to: Duplex): void {
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroy());
  from.pipe(to);
}

// Why a backend could not be reached, in Go's words.

import type { Upstream } from './kubelet-address.ts';

const connecting: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  ETIMEDOUT: 'connection timed out',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EINVAL: 'invalid argument',
  EADDRNOTAVAIL: 'cannot assign requested address',
};

/** Host and port in one text; an IPv6 address is in brackets. */
export const joinHostPort = (host: string, port: string | number): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;

/** No connection within the time limit. */
export class DialTimeout extends Error {
  override readonly message = 'i/o timeout';
}

export function dialFault(error: Error, { host, port }: Pick<Upstream, 'host' | 'port'>): string {
  const { code = '', syscall } = error as NodeJS.ErrnoException;
  const dial = `dial tcp ${joinHostPort(host, port)}`;
  if (error instanceof DialTimeout) return `${dial}: ${error.message}`;
  if (syscall === 'connect' && code in connecting) return `${dial}: connect: ${connecting[code]}`;
  if (error.name === 'AbortError') return 'context canceled';
  // Node's one error for every connection that ends before its answer.
  if (error.message === 'socket hang up') return 'EOF';
  if (code === 'ECONNRESET') return 'read: connection reset by peer';
  if (code === 'EPIPE') return 'write: broken pipe';
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'EPROTO')
    return 'tls: first record does not look like a TLS handshake';
  if (code.startsWith('HPE_')) return `net/http: HTTP/1.x transport connection broken: malformed HTTP response`;
  return error.message;
}

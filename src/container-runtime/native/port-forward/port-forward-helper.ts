// Runs in a pod's network namespace and connects a unix socket to ports of the pod's loopback. Each connection begins
// with a line with the port; the response is a line: empty on success, otherwise the error.

import { rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { systemClock } from '../../../machinery/time/clock.ts';
import { firstLine } from '../first-line.ts';

const idleMs = 30_000;

export function servePortForward(path: string): void {
  let open = 0;
  const leaveWhenIdle = () => {
    systemClock.after(idleMs, () => {
      if (open === 0) process.exit(0);
    });
  };
  const server = createServer({ allowHalfOpen: true }, (peer) => {
    open++;
    peer.on('error', () => {});
    peer.on('close', () => {
      open--;
      leaveWhenIdle();
    });
    firstLine(peer).then(
      ({ line, rest }) => forward(peer, Number(line), rest, ['127.0.0.1', '::1']),
      () => {},
    );
  });
  rmSync(path, { force: true });
  server.listen(path, leaveWhenIdle);
}

/** Tries one address after the other. */
function forward(peer: Socket, port: number, first: Buffer, hosts: readonly string[]): void {
  const target = connect({ host: hosts[0], port, allowHalfOpen: true });
  const failed = (error: Error) => {
    if (hosts.length > 1) forward(peer, port, first, hosts.slice(1));
    else peer.end(`${error.message}\n`);
  };
  target.once('error', failed);
  target.once('connect', () => {
    target.off('error', failed);
    target.on('error', () => peer.destroy());
    peer.on('close', () => target.destroy());
    peer.write('\n');
    if (first.length > 0) target.write(first);
    target.pipe(peer);
    peer.pipe(target);
  });
}

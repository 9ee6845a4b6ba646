// Connects to ports on a pod's loopback. Node cannot change its network namespace, so a helper process runs in the
// pod's; unix sockets work across network namespaces. The first connection starts it, and it ends some time after the
// last.

import { spawn } from 'node:child_process';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../machinery/time/clock.ts';
import { childStdio } from '../../processes/inherited.ts';
import { hostEnvironment } from '../../processes/process.ts';
import { RuntimeError } from '../../runtime-error.ts';
import { firstLine } from '../first-line.ts';
import { shimWords } from '../shim/shim-client.ts';

export class PortForwarder {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `namespaceFile` undefined: the machine's network. */
  async connect(port: number, namespaceFile: string | undefined, socketPath: string): Promise<Duplex> {
    if (!namespaceFile) {
      const socket = await dial({ host: '127.0.0.1', port, allowHalfOpen: true });
      if (socket) return socket;
      throw refused(port, 'connect: connection refused');
    }
    const socket = await this.#helper(namespaceFile, socketPath);
    socket.write(`${port}\n`);
    const { line, rest } = await firstLine(socket).catch((error: Error) => {
      throw refused(port, error.message);
    });
    if (line) {
      socket.destroy();
      throw refused(port, line);
    }
    if (rest.length > 0) socket.unshift(rest);
    return socket;
  }

  async #helper(namespaceFile: string, path: string): Promise<Socket> {
    for (let tries = 0; tries < 300; tries++) {
      const socket = await dial({ path, allowHalfOpen: true });
      if (socket) return socket;
      if (tries === 0) {
        const words = [`--net=${namespaceFile}`, process.execPath, ...shimWords, 'port-forward', path];
        const child = spawn('nsenter', words, {
          ...{ cwd: '/', env: hostEnvironment, detached: true },
          stdio: childStdio(['ignore', 'ignore', 'ignore']),
        });
        child.on('error', () => {});
        child.unref();
      }
      await this.#clock.sleep(10);
    }
    throw new RuntimeError('unavailable', 'the port-forward helper does not answer');
  }
}

function refused(port: number, why: string): RuntimeError {
  return new RuntimeError('unavailable', `failed to connect to localhost:${port} inside namespace: ${why}`);
}

function dial(options: NetConnectOpts): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(options);
    const failed = () => resolve(undefined);
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

// A connection between two processes of this machine that can be slow, or cut.

import { connect, createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '../../src/machinery/time/clock.ts';

export class Link {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  /** Each piece of data arrives this much later. */
  delayMs = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** A link to a port; its own one is `port`. */
  static async to(port: number): Promise<Link> {
    const server = createServer();
    const link = new Link(server);
    server.on('connection', (near) => link.#join(near, port));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return link;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the link is closed');
    return address.port;
  }

  /** Connections stay open and carry nothing, as with an unplugged cable; data in transit is lost. */
  cut(): void {
    this.#isCut = true;
  }

  /** The former connections break. */
  heal(): void {
    this.#isCut = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket, port: number): void {
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      this.#sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.on('data', (chunk) => void this.#carry(chunk, to));
    }
  }

  async #carry(chunk: Buffer, to: Socket): Promise<void> {
    if (this.#isCut) return;
    // Timers of one delay fire in their order.
    if (this.delayMs > 0) await systemClock.sleep(this.delayMs);
    if (!this.#isCut && !to.destroyed) to.write(chunk);
  }
}

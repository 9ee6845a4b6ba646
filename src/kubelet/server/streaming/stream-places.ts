import type { Duplex } from 'node:stream';

/** Streams of exec, attach and port-forward that are open at one time. Each has processes and pipes of the node. */
const mostStreams = 1_000;

export const tooManyStreams = `too many streams of exec, attach and port-forward are open on this node: limit is ${mostStreams}`;

export class StreamPlaces {
  #open = 0;

  /** A place until the socket closes. False if there is none. */
  take(socket: Duplex): boolean {
    if (this.#open >= mostStreams) return false;
    this.#open++;
    socket.once('close', () => this.#open--);
    return true;
  }
}

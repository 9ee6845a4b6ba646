// Starts a few requests per turn of the event loop. One read of a socket may bring hundreds of HTTP/2 streams, which
// would otherwise run before all other work.

import { FairQueue } from '../fair-queue.ts';

/** Requests that begin in one turn: each takes some tenths of a millisecond. */
const mostInTurn = 32;

export class Beginnings {
  #begun = 0;
  #isPlanned = false;
  readonly #waiting = new FairQueue<object>();

  /** Undefined: the request may begin at once. Otherwise connections take turns. */
  turn(connection: object): Promise<void> | undefined {
    this.#plan();
    if (this.#begun < mostInTurn) {
      this.#begun++;
      return undefined;
    }
    return new Promise((begin) => this.#waiting.push(connection, begin));
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    this.#isPlanned = false;
    for (this.#begun = 0; this.#begun < mostInTurn; this.#begun++) {
      const begin = this.#waiting.shift();
      if (!begin) break;
      begin();
    }
    if (this.#waiting.length > 0) this.#plan();
  }
}

// Starts a few requests per turn of the event loop. One read of a socket may bring hundreds of HTTP/2 streams, which
// would otherwise run before all other work.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { FairQueue } from '../fair-queue.ts';

/** Requests that begin in one turn: each takes some tenths of a millisecond. */
const mostInTurn = 32;

/** Health checks matter most under load: they do not wait for other requests. */
export class Beginnings {
  readonly #requests = new Turns();
  readonly #healthChecks = new Turns();

  /** Undefined: the request may begin at once. Otherwise connections take turns. */
  turn(connection: object, isHealth: boolean): Promise<void> | undefined {
    return (isHealth ? this.#healthChecks : this.#requests).turn(connection);
  }
}

class Turns {
  #begun = 0;
  #isPlanned = false;
  readonly #waiting = new FairQueue<object>();

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

/** Requests that an HTTP/1.1 client may send before their responses. */
const mostPipelined = 100;

interface Pipeline {
  length: number;
  last: Promise<void>;
}

/** Serves the requests of an HTTP/1.1 connection one after the other, as Go does. */
export class Pipelines {
  readonly #pipelines = new WeakMap<object, Pipeline>();

  /** The end of the request before; undefined: there is none. A connection with too many requests is closed. */
  previous(
    { socket }: IncomingMessage | Http2ServerRequest,
    outgoing: ServerResponse | Http2ServerResponse,
  ): Promise<void> | undefined | 'too many' {
    if ('stream' in outgoing) return undefined;
    let pipeline = this.#pipelines.get(socket);
    if (!pipeline) this.#pipelines.set(socket, (pipeline = { length: 0, last: Promise.resolve() }));
    const { last, length } = pipeline;
    if (socket.destroyed || length >= mostPipelined) {
      socket.destroy();
      return 'too many';
    }
    const own = pipeline;
    own.length++;
    own.last = new Promise((resolve) =>
      outgoing.once('close', () => {
        own.length--;
        resolve();
      }),
    );
    return length > 0 ? last : undefined;
  }
}

// The requests and HTTP/2 sessions of a listener, so that its end lets requests finish.

import type { Http2Session } from 'node:http2';
import { systemClock } from '../../machinery/time/clock.ts';

/** Requests that take longer are cut off. */
const graceMs = 500;

export class RunningRequests {
  readonly #sessions = new Set<Http2Session>();
  #running = 0;
  #finished: (() => void) | undefined;

  trackSession(session: Http2Session): void {
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
  }

  begin(response: { once(event: 'close', listener: () => void): unknown }): void {
    this.#running++;
    response.once('close', () => {
      this.#running--;
      if (this.#running === 0) this.#finished?.();
    });
  }

  /** Sends GOAWAY, so that clients open another connection. Resolves when no request runs, or after a moment. */
  async finish(): Promise<void> {
    for (const session of this.#sessions) session.close();
    if (this.#running === 0) return;
    // The time of the machine: sockets do not follow a virtual clock.
    await new Promise<void>((resolve) => {
      const late = systemClock.after(graceMs, resolve);
      this.#finished = () => {
        late.cancel();
        resolve();
      };
    });
  }
}

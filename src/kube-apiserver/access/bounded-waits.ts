/** A client may send any number of requests and abandon each: waiting ones stay in memory. */
const mostWaiting = 1_000;

/** Bounds the requests that wait for a server that is slow. */
export class BoundedWaits {
  #waiting = 0;

  /** The result of `work`. Rejects at once while too many requests wait. */
  async wait<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= mostWaiting) throw new Error(`${mostWaiting} requests wait for its answer already`);
    this.#waiting++;
    try {
      return await work();
    } finally {
      this.#waiting--;
    }
  }
}

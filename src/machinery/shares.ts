// A bounded number of places, of which each client has a bounded share: connections, for example.

export class Shares {
  readonly #most: number;
  readonly #mostOfOne: number;
  readonly #byClient = new Map<string, number>();
  #taken = 0;

  constructor(most: number, mostOfOne: number) {
    this.#most = most;
    this.#mostOfOne = mostOfOne;
  }

  /** False if there is no place for this client. */
  take(client: string): boolean {
    const own = this.#byClient.get(client) ?? 0;
    if (own >= this.#mostOfOne || this.#taken >= this.#most) return false;
    this.#byClient.set(client, own + 1);
    this.#taken++;
    return true;
  }

  /** Call it once for each place that was taken. */
  release(client: string): void {
    const left = (this.#byClient.get(client) ?? 0) - 1;
    if (left > 0) this.#byClient.set(client, left);
    else this.#byClient.delete(client);
    this.#taken--;
  }
}

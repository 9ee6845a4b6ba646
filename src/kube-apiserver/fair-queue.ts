// Requests waiting for a turn, by sender.

/** First in, first out, also when a hundred thousand wait. */
class Fifo {
  #items: (() => void)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: () => void): void {
    this.#items.push(item);
  }

  shift(): (() => void) | undefined {
    const item = this.#items[this.#head++];
    if (this.#head >= this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head > 1_024 && this.#head > this.#items.length / 2) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

/** Senders alternate, regardless of their queue lengths: a flood delays only its sender. */
export class FairQueue<Sender> {
  readonly #bySender = new Map<Sender, Fifo>();
  length = 0;

  push(sender: Sender, turn: () => void): void {
    let own = this.#bySender.get(sender);
    if (!own) this.#bySender.set(sender, (own = new Fifo()));
    own.push(turn);
    this.length++;
  }

  shift(): (() => void) | undefined {
    const first = this.#bySender.entries().next().value;
    if (!first) return undefined;
    const [sender, own] = first;
    const turn = own.shift();
    // Behind all other senders, until its next turn.
    this.#bySender.delete(sender);
    if (own.length > 0) this.#bySender.set(sender, own);
    this.length--;
    return turn;
  }
}

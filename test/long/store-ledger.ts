// The record of a store's writes: the required content after any crash.

/** Of each key: the sequence number that was acknowledged last (0: absent), and the one in progress. */
export class Ledger {
  readonly acknowledged = new Map<string, number>();
  readonly begun = new Map<string, number>();
  #rest = '';
  count = 0;

  /** Adds the writer's output. */
  add(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const [event, key, sequence] = line.split(' ');
      if (event === 'begin') this.begun.set(key, Number(sequence));
      else {
        this.acknowledged.set(key, Number(sequence));
        this.begun.delete(key);
        this.count++;
      }
    }
  }

  /** Faults of the found sequence numbers, one sentence each. */
  faults(found: ReadonlyMap<string, number>): string[] {
    const faults: string[] = [];
    for (const key of new Set([...this.acknowledged.keys(), ...this.begun.keys(), ...found.keys()])) {
      const fault = this.faultOf(key, found.get(key) ?? 0);
      if (fault) faults.push(fault);
    }
    return faults;
  }

  faultOf(key: string, found: number): string | undefined {
    const mayBe = [this.acknowledged.get(key) ?? 0, this.begun.get(key)];
    if (mayBe.includes(found)) return undefined;
    return `${key} is ${found}, acknowledged ${mayBe[0]}, begun ${mayBe[1]}`;
  }
}

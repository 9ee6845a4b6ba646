// The last writes of one sort, for the console.

/** The object of a write. */
export interface WrittenPlace {
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  /** '': the write has none yet. */
  readonly name: string;
}

/** Oldest first. */
export class KeptWrites<Write extends WrittenPlace> {
  readonly #most: number;
  readonly #kept = new Set<Write>();

  constructor(most: number) {
    this.#most = most;
  }

  note(write: Write): void {
    this.#kept.add(write);
    for (const oldest of this.#kept)
      if (this.#kept.size > this.#most) this.#kept.delete(oldest);
      else break;
  }

  /** Left out: all. */
  find(place: Partial<WrittenPlace>): readonly Write[] {
    const fits = (wanted: string | undefined, found: string) => wanted === undefined || wanted === found;
    return [...this.#kept].filter(
      (one) =>
        fits(place.group, one.group) &&
        fits(place.resource, one.resource) &&
        fits(place.namespace, one.namespace) &&
        fits(place.name, one.name),
    );
  }
}

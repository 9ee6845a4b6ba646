// When the caches got each revision: a bounded list of times, finer for the recent past.

/** Changes of this time share an entry. */
const stepMs = 100;
/** Above this number, every second entry of the older half goes: its revisions get the time of the next entry. */
const mostEntries = 8_192;

export class RevisionTimes {
  readonly #revisions: number[] = [];
  readonly #timesMs: number[] = [];

  /** Revisions come in ascending order; a clock that goes back stands still here. */
  note(revision: number, nowMs: number): void {
    const last = this.#timesMs.length - 1;
    if (last >= 0 && nowMs - this.#timesMs[last] < stepMs) {
      this.#revisions[last] = revision;
      return;
    }
    this.#revisions.push(revision);
    this.#timesMs.push(nowMs);
    if (this.#timesMs.length > mostEntries) this.#thin();
  }

  /** Milliseconds since the epoch. Revisions before the first entry have its time; undefined for later revisions. */
  timeOf(revision: number): number | undefined {
    return this.#timesMs[firstAtLeast(this.#revisions, revision)];
  }

  /** The newest revision of that time; undefined before the first entry. */
  revisionAt(timeMs: number): number | undefined {
    return this.#revisions[firstAtLeast(this.#timesMs, timeMs + 1) - 1];
  }

  get size(): number {
    return this.#timesMs.length;
  }

  #thin(): void {
    const half = mostEntries / 2;
    for (const list of [this.#revisions, this.#timesMs]) {
      const older = list.slice(0, half).filter((_, index) => index % 2 === 0);
      list.splice(0, half, ...older);
    }
  }
}

/** The list is ascending. */
function firstAtLeast(list: readonly number[], value: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

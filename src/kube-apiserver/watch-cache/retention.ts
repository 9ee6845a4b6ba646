// How long history is kept: longer while the console shows it, within the same limits of bytes and events.

const keptMs = 60_000;
/** Compaction ends lists of an older past anyway. */
const keptWhileShownMs = 600_000;
/** The console asks again before this. */
const shownMs = 60_000;

export class Retention {
  #untilMs = Number.NEGATIVE_INFINITY;

  /** The console shows the past. All times are monotonic. */
  extend(nowMs: number): void {
    this.#untilMs = nowMs + shownMs;
  }

  /** Older events may go. */
  oldestMs(nowMs: number): number {
    return nowMs - (nowMs < this.#untilMs ? keptWhileShownMs : keptMs);
  }
}

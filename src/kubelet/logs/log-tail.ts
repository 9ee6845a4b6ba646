// Where the last lines of a log begin. Files are read from their ends in blocks, so a large log costs no more than a
// small one.

import type { FileHandle } from 'node:fs/promises';
import { type Line, parseEntry } from './log-lines.ts';

interface TailOptions {
  /** Lines to return; undefined: all. */
  readonly count?: number;
  /** Milliseconds since the epoch: older lines are skipped. */
  readonly since?: number;
  /** Entries that do not count are passed over. */
  counts(line: Line): boolean;
}

const newline = 0x0a;
const blockBytes = 64 * 1024;
/** Time, stream and tag of an entry are within so many bytes. */
const headBytes = 128;

/** Counts lines backwards over one or more files, the newest file first. */
export class Tail {
  readonly #options: TailOptions;
  #lines = 0;
  #any = false;
  /** Whether the first line was found: older files are not needed. */
  complete: boolean;

  constructor(options: TailOptions) {
    this.#options = options;
    this.complete = options.count === 0;
  }

  /** The offset of the first entry to return from the file, 0 for the whole file. */
  async startIn(file: FileHandle): Promise<number> {
    const { size } = await file.stat();
    if (this.complete) return size;
    let start = size;
    for await (const { offset, head } of entriesBackwards(file, size)) {
      const line = head && parseEntry(head);
      if (line && !this.#keeps(line)) return start;
      start = offset;
    }
    return 0;
  }

  /** The number of leading lines to skip in a stream. For files that cannot be read backwards. */
  async skipIn(lines: AsyncIterable<Line>): Promise<number> {
    const { count = Number.POSITIVE_INFINITY, since, counts } = this.#options;
    let ends = 0;
    let goesOn = false;
    let tooOld = false;
    for await (const line of lines) {
      if (since !== undefined && Date.parse(line.time) < since) tooOld = true;
      else if (counts(line)) {
        goesOn = line.partial;
        if (!line.partial) ends++;
        this.#any = true;
      }
    }
    const found = ends + (goesOn ? 1 : 0);
    const skipped = Math.max(0, found - (count - this.#lines));
    this.#lines += found - skipped;
    this.complete = tooOld || skipped > 0 || this.#lines >= count;
    return skipped;
  }

  /** Takes the next older entry: false if it, and all before it, are to be skipped. */
  #keeps(line: Line): boolean {
    const { count, since, counts } = this.#options;
    if (since !== undefined && Date.parse(line.time) < since) this.complete = true;
    else if (counts(line)) {
      // The newest line may be incomplete.
      const endsLine = !line.partial || !this.#any;
      this.#any = true;
      if (endsLine && count !== undefined && this.#lines >= count) this.complete = true;
      else if (endsLine) this.#lines++;
    }
    return !this.complete;
  }
}

interface EntryHead {
  readonly offset: number;
  /** Undefined for an incomplete one. */
  readonly head: Buffer | undefined;
}

/** Heads of a file's entries, the last one first. */
async function* entriesBackwards(file: FileHandle, size: number): AsyncGenerator<EntryHead> {
  const block = Buffer.alloc(blockBytes + headBytes);
  /** The first bytes behind the block: an entry that begins at its end reaches into them. */
  let behind = 0;
  let isWritten = false;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - blockBytes);
    const length = end - start;
    block.copyWithin(length, 0, behind);
    await file.read(block, 0, length, start);
    const filled = block.subarray(0, length + behind);
    if (end === size && block[length - 1] === newline) isWritten = true;
    for (let at = length - 1; at >= 0; at--) {
      if (block[at] !== newline) continue;
      // A newline at the very end of the file begins no entry.
      if (start + at + 1 < size) yield { offset: start + at + 1, head: isWritten ? headOf(filled, at + 1) : undefined };
      isWritten = true;
    }
    if (start === 0) yield { offset: 0, head: isWritten ? headOf(filled, 0) : undefined };
    behind = Math.min(headBytes, length);
    end = start;
  }
}

/** A copy: the block is read into again. */
function headOf(bytes: Buffer, from: number): Buffer {
  const head = bytes.subarray(from, from + headBytes);
  const end = head.indexOf(newline);
  return Buffer.from(end < 0 ? head : head.subarray(0, end));
}

// Entries of a log in CRI format: `<time> <stdout|stderr> <P|F> <text>`; P marks a line that continues in the next
// entry.
// https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md

export interface Line {
  readonly time: string;
  readonly stream: string;
  readonly partial: boolean;
  readonly text: Buffer;
}

const newline = 0x0a;
const space = 0x20;
/** Runtimes write at most 16 KB an entry. A longer one is handed on in pieces. */
const longestEntry = 256 * 1024;

/** From blocks of a file to entries. */
export class LineParser {
  #rest: Buffer = Buffer.alloc(0);
  /** Of an entry that is handed on in pieces. */
  #head: Line | undefined;

  *take(chunk: Buffer): Generator<Line> {
    let bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline)) {
      const line = this.#entry(bytes.subarray(0, end));
      this.#head = undefined;
      bytes = bytes.subarray(end + 1);
      if (line) yield line;
    }
    if (bytes.length > longestEntry) {
      const line = this.#entry(bytes);
      if (line) yield { ...line, partial: true };
      this.#head = line;
      bytes = Buffer.alloc(0);
    }
    this.#rest = Buffer.from(bytes); // a copy, so that the whole block is not held
  }

  #entry(bytes: Buffer): Line | undefined {
    return this.#head ? { ...this.#head, text: bytes } : parseEntry(bytes);
  }
}

/** Undefined for an invalid entry. */
export function parseEntry(bytes: Buffer): Line | undefined {
  const first = bytes.indexOf(space);
  const second = bytes.indexOf(space, first + 1);
  const third = bytes.indexOf(space, second + 1);
  if (first < 0 || second < 0) return undefined;
  const tag = bytes.toString('utf8', second + 1, third < 0 ? bytes.length : third);
  return {
    time: bytes.toString('utf8', 0, first),
    stream: bytes.toString('utf8', first + 1, second),
    partial: tag === 'P',
    text: third < 0 ? Buffer.alloc(0) : bytes.subarray(third + 1),
  };
}

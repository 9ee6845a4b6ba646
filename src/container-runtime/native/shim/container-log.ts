// A container's output in the CRI log format (kubernetes/design-proposals-archive, node/kubelet-cri-logging.md):
// `2016-10-06T00:17:09.669794202Z stdout F line`; P marks a line that continues in the next entry.

import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** A longer line is written in parts, as containerd does. */
const longestLine = 16 * 1024;
const newline = 0x0a;

export class ContainerLog {
  readonly #path: string;
  readonly #now: () => string;
  readonly #directory: string;
  readonly #rest: Record<'stdout' | 'stderr', Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  #file: number;

  /**
   * `now` returns the time in RFC 3339 with nanoseconds. `directory` stores the beginning of an incomplete line, for
   * the next process if this one is killed.
   */
  constructor(path: string, directory: string, now: () => string) {
    this.#path = path;
    this.#directory = directory;
    this.#now = now;
    for (const stream of ['stdout', 'stderr'] as const)
      if (existsSync(this.#restFile(stream))) this.#rest[stream] = readFileSync(this.#restFile(stream));
    mkdirSync(dirname(path), { recursive: true });
    this.#file = openSync(path, 'a', 0o640);
  }

  write(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    const rest = this.#rest[stream];
    const data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const time = this.#now();
    const entries: Buffer[] = [];
    let start = 0;
    const entry = (end: number, tag: 'F' | 'P') =>
      entries.push(Buffer.from(`${time} ${stream} ${tag} `), data.subarray(start, end), lineEnd);
    for (let end = data.indexOf(newline); end >= 0; end = data.indexOf(newline, start)) {
      for (; end - start > longestLine; start += longestLine) entry(start + longestLine, 'P');
      entry(end, 'F');
      start = end + 1;
    }
    for (; data.length - start > longestLine; start += longestLine) entry(start + longestLine, 'P');
    if (entries.length > 0) this.#append(Buffer.concat(entries));
    this.#keepRest(stream, Buffer.from(data.subarray(start)));
  }

  /** Continues in a new file at the same path, for the old one was moved away. */
  reopen(): void {
    closeSync(this.#file);
    this.#file = openSync(this.#path, 'a', 0o640);
  }

  close(): void {
    for (const stream of ['stdout', 'stderr'] as const)
      if (this.#rest[stream].length > 0)
        this.#append(Buffer.concat([Buffer.from(`${this.#now()} ${stream} P `), this.#rest[stream], lineEnd]));
    for (const stream of ['stdout', 'stderr'] as const) this.#keepRest(stream, Buffer.alloc(0));
    closeSync(this.#file);
  }

  #restFile(stream: 'stdout' | 'stderr'): string {
    return join(this.#directory, `${stream}.rest`);
  }

  #keepRest(stream: 'stdout' | 'stderr', rest: Buffer): void {
    const before = this.#rest[stream];
    this.#rest[stream] = rest;
    const file = this.#restFile(stream);
    try {
      if (rest.length === 0) {
        if (before.length > 0) rmSync(file, { force: true });
      } else if (before.length > 0 && rest.length > before.length && rest.subarray(0, before.length).equals(before)) {
        appendFileSync(file, rest.subarray(before.length));
      } else {
        writeFileSync(`${file}.new`, rest);
        renameSync(`${file}.new`, file);
      }
    } catch {
      // On a full disk, or when the container is removed: the beginning of a line is lost if this process dies as well.
    }
  }

  #append(data: Buffer): void {
    try {
      for (let done = 0; done < data.length; ) done += writeSync(this.#file, data, done);
    } catch {
      // A full disk loses log lines; it must not block the container on its output.
    }
  }
}

const lineEnd = Buffer.from('\n');

// Reads container logs in CRI format: `<time> <stdout|stderr> <P|F> <text>`.
// https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md

import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import type { Clock } from '../machinery/clock.ts';
import { rotatedFiles } from './log-rotation.ts';

export interface LogOptions {
  readonly follow: boolean;
  /** Prefixes each line with its time. */
  readonly timestamps: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  /** RFC 3339. */
  readonly sinceTime?: string;
  readonly limitBytes?: number;
  /** All, Stdout or Stderr. */
  readonly stream?: string;
}

interface Line {
  readonly time: string;
  readonly stream: string;
  readonly partial: boolean;
  readonly text: Buffer;
}

const newline = 0x0a;
const space = 0x20;
const pollMs = 100;
const blockBytes = 64 * 1024;

/**
 * The log's text. With `follow`, goes on until `isRunning` says no and everything was read, or `signal` aborts; a
 * rotated log is followed into its new file. `file` and what it was rotated into are read in order.
 */
export async function* readLog(
  file: string,
  options: LogOptions,
  clock: Clock,
  isRunning: () => boolean,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const since = options.sinceTime
    ? Date.parse(options.sinceTime)
    : options.sinceSeconds
      ? clock.now() - options.sinceSeconds * 1000
      : undefined;
  const wanted = (line: Line) =>
    (since === undefined || Date.parse(line.time) >= since) &&
    (!options.stream || options.stream === 'All' || options.stream.toLowerCase() === line.stream);
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  const rotated = await rotatedFiles(file);
  const reader = new Follower(file);
  const past = pastLines(rotated, reader);
  const lines = options.tailLines === undefined ? past : lastLines(past, options.tailLines, wanted);
  let startOfLine = true;
  try {
    for await (const line of follow(lines, reader, options.follow, clock, isRunning, signal)) {
      if (!wanted(line)) continue;
      const text = Buffer.concat([
        options.timestamps && startOfLine ? Buffer.from(`${line.time} `) : Buffer.alloc(0),
        line.text,
        line.partial ? Buffer.alloc(0) : Buffer.from('\n'),
      ]);
      startOfLine = !line.partial;
      yield text.length > left ? text.subarray(0, left) : text;
      left -= text.length;
      if (left <= 0) return;
    }
  } finally {
    await reader.close();
  }
}

async function* pastLines(rotated: readonly string[], reader: Follower): AsyncGenerator<Line> {
  for (const name of rotated) {
    const stream = createReadStream(name);
    const parser = new LineParser();
    for await (const chunk of name.endsWith('.gz') ? stream.pipe(createGunzip()) : stream) yield* parser.take(chunk);
  }
  yield* reader.read();
}

/** The last `count` whole lines that are wanted (partial pieces belong to the line that they are part of). */
async function* lastLines(
  lines: AsyncIterable<Line>,
  count: number,
  wanted: (line: Line) => boolean,
): AsyncGenerator<Line> {
  const kept: Line[][] = [];
  let current: Line[] = [];
  for await (const line of lines) {
    if (!wanted(line)) continue;
    current.push(line);
    if (line.partial) continue;
    kept.push(current);
    current = [];
    if (kept.length > count) kept.shift();
  }
  for (const line of count > 0 ? kept.flat() : []) yield line;
  yield* current;
}

async function* follow(
  past: AsyncIterable<Line>,
  reader: Follower,
  more: boolean,
  clock: Clock,
  isRunning: () => boolean,
  signal: AbortSignal,
): AsyncGenerator<Line> {
  yield* past;
  while (more && !signal.aborted) {
    const running = isRunning(); // asked before reading: what was written before the end is not missed
    let any = false;
    for await (const line of reader.read()) {
      any = true;
      yield line;
    }
    if (any) continue;
    if (!running) return;
    await clock.sleep(pollMs, signal).catch(() => {});
  }
}

/** Reads on from where it stopped, and from the start of a new file once the old one was moved away. */
class Follower {
  readonly #file: string;
  #handle: Awaited<ReturnType<typeof open>> | undefined;
  #inode = 0;
  #offset = 0;
  #parser = new LineParser();

  constructor(file: string) {
    this.#file = file;
  }

  async *read(): AsyncGenerator<Line> {
    if (!(await this.#open())) return;
    yield* this.#rest();
    const now = await stat(this.#file).catch(() => undefined);
    if (!now || now.ino === this.#inode) return;
    yield* this.#rest(); // what came between the last read and the rotation
    await this.close();
    if (await this.#open()) yield* this.#rest();
  }

  async *#rest(): AsyncGenerator<Line> {
    const block = Buffer.alloc(blockBytes);
    for (;;) {
      const { bytesRead } = await this.#handle!.read(block, 0, blockBytes, this.#offset);
      if (bytesRead === 0) return;
      this.#offset += bytesRead;
      yield* this.#parser.take(Buffer.from(block.subarray(0, bytesRead)));
    }
  }

  async #open(): Promise<boolean> {
    if (this.#handle) return true;
    this.#handle = await open(this.#file, 'r').catch(() => undefined);
    if (!this.#handle) return false;
    this.#inode = (await this.#handle.stat()).ino;
    this.#offset = 0;
    this.#parser = new LineParser();
    return true;
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }
}

class LineParser {
  #rest: Buffer = Buffer.alloc(0);

  *take(chunk: Buffer): Generator<Line> {
    let bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline)) {
      const line = parseLine(bytes.subarray(0, end));
      bytes = bytes.subarray(end + 1);
      if (line) yield line;
    }
    this.#rest = bytes;
  }
}

function parseLine(bytes: Buffer): Line | undefined {
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

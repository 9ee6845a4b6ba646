// Reads container logs: the last lines, those since a time, and new ones.

import { createReadStream } from 'node:fs';
import { type FileHandle, stat } from 'node:fs/promises';
import path from 'node:path';
import { createGunzip } from 'node:zlib';
import { must } from '../../machinery/must.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { openRegularBeneath } from '../files/safe-path.ts';
import { type LogFile, rotatedFiles } from './log-files.ts';
import { type Line, LineParser } from './log-lines.ts';
import { Tail } from './log-tail.ts';

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

const pollMs = 100;
const blockBytes = 64 * 1024;

/**
 * The log's text. With `follow`, continues until `isRunning` returns false and all text was read, or `signal` aborts;
 * it follows a rotated log into its new file. Reads the file and its rotated predecessors in order.
 */
export async function* readLog(
  log: LogFile,
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
  const isOfStream = (line: Line) =>
    !options.stream || options.stream === 'All' || options.stream.toLowerCase() === line.stream;
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  const reader = new Follower(log);
  const tail =
    options.tailLines === undefined && since === undefined
      ? undefined
      : new Tail({ count: options.tailLines, since, counts: isOfStream });
  let startOfLine = true;
  try {
    const past = pastLines(log, reader, tail, signal);
    for await (const line of follow(past, reader, options.follow, clock, isRunning, signal)) {
      if ((since !== undefined && Date.parse(line.time) < since) || !isOfStream(line)) continue;
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

/** A part of the log, oldest first: a rotated file from an offset, or without its first lines. */
interface Part {
  readonly file: string;
  readonly offset: number;
  readonly skipLines: number;
}

async function* pastLines(
  log: LogFile,
  reader: Follower,
  tail: Tail | undefined,
  signal: AbortSignal,
): AsyncGenerator<Line> {
  const current = await reader.open();
  if (tail && current) reader.offset = await tail.startIn(current);
  const parts: Part[] = [];
  for (const file of (await rotatedFiles(log)).reverse()) {
    if (signal.aborted || tail?.complete) break;
    parts.unshift(await partOf(log.root, file, tail, signal));
  }
  for (const part of parts) yield* linesOf(log.root, part, signal);
  yield* reader.read();
}

async function partOf(root: string, file: string, tail: Tail | undefined, signal: AbortSignal): Promise<Part> {
  const whole: Part = { file, offset: 0, skipLines: 0 };
  if (!tail) return whole;
  if (file.endsWith('.gz')) return { ...whole, skipLines: await tail.skipIn(linesOf(root, whole, signal)) };
  const handle = await openRegularBeneath(root, path.relative(root, file));
  if (!handle) return whole;
  try {
    return { ...whole, offset: await tail.startIn(handle) };
  } finally {
    await handle.close();
  }
}

async function* linesOf(root: string, { file, offset, skipLines }: Part, signal: AbortSignal): AsyncGenerator<Line> {
  const handle = await openRegularBeneath(root, path.relative(root, file));
  if (!handle) return; // compressed or removed meanwhile
  const stream = createReadStream('', { fd: handle, start: offset, highWaterMark: blockBytes });
  const parser = new LineParser();
  let left = skipLines;
  try {
    for await (const chunk of file.endsWith('.gz') ? stream.pipe(createGunzip()) : stream) {
      if (signal.aborted) return;
      for (const line of parser.take(chunk)) {
        if (left === 0) yield line;
        else if (!line.partial) left--;
      }
    }
  } finally {
    stream.destroy();
  }
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
    const running = isRunning(); // checked before reading, so that text written before the end is not missed
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
  readonly #log: LogFile;
  #handle: FileHandle | undefined;
  #inode = 0;
  #parser = new LineParser();
  /** Where it reads next. */
  offset = 0;

  constructor(log: LogFile) {
    this.#log = log;
  }

  async *read(): AsyncGenerator<Line> {
    if (!(await this.open())) return;
    yield* this.#rest();
    const now = await stat(this.#log.file).catch(() => undefined);
    if (!now || now.ino === this.#inode) return;
    yield* this.#rest(); // text between the last read and the rotation
    await this.close();
    if (await this.open()) yield* this.#rest();
  }

  async *#rest(): AsyncGenerator<Line> {
    const block = Buffer.alloc(blockBytes);
    for (;;) {
      const { bytesRead } = await must(this.#handle, 'handle').read(block, 0, blockBytes, this.offset);
      if (bytesRead === 0) return;
      this.offset += bytesRead;
      yield* this.#parser.take(Buffer.from(block.subarray(0, bytesRead)));
    }
  }

  async open(): Promise<FileHandle | undefined> {
    if (this.#handle) return this.#handle;
    const { root, file } = this.#log;
    this.#handle = await openRegularBeneath(root, path.relative(root, file));
    if (!this.#handle) return undefined;
    this.#inode = (await this.#handle.stat()).ino;
    this.offset = 0;
    this.#parser = new LineParser();
    return this.#handle;
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }
}

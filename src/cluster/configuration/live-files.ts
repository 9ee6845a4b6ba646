// Values of files that are read again when the files change, without a restart.

import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock, Timer } from '../../machinery/time/clock.ts';

/** Files are read this often, as in Kubernetes: some file systems do not report changes. */
const pollMs = 60_000;
/** A reported change counts after this time: writers need several steps. */
const settleMs = 100;

export interface FileSource<T> {
  /** In logs: the flag, or the kind of the file. */
  readonly name: string;
  /** Read together, such as a certificate and its key. */
  readonly files: readonly string[];
  /** `initial` is that of the start; undefined then. Throws when the texts are invalid. */
  read(texts: readonly string[], initial: T | undefined): Promise<T> | T;
  /** Gets the texts of the first reading. */
  opened?(texts: readonly string[]): void;
  /** Gets the result of each attempt to use changed texts. */
  attempted?(status: 'success' | 'failure', texts: readonly string[]): void;
}

export interface LiveFile<T> {
  /** The last valid one. */
  readonly value: T;
  /** `use` brings each later value into use. If it rejects, the previous value stays, and `use` is tried again. */
  onChange(use: (value: T) => Promise<void> | void): void;
  close(): void;
}

/** Reports changes in a directory. Throws when it cannot. */
export type WatchDirectory = (directory: string, changed: () => void) => { close(): void };

interface LiveFilesOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly watchDirectory?: WatchDirectory;
}

/** Invalid texts and unreadable files are logged, and the previous value stays in use. */
export class LiveFiles {
  readonly #options: LiveFilesOptions;
  readonly #watchDirectory: WatchDirectory;
  readonly #entries = new Set<Checked>();
  readonly #watched = new Map<string, { close(): void }>();
  readonly #unwatched = new Set<string>();
  #poll: Timer | undefined;
  #settling: Timer | undefined;
  #isStopped = false;

  constructor(options: LiveFilesOptions) {
    this.#options = options;
    this.#watchDirectory = options.watchDirectory ?? watchWithInotify;
  }

  /** Reads the files for the first time. Rejects with the cause. */
  async open<T>(source: FileSource<T>): Promise<LiveFile<T>> {
    const texts = await textsOf(source);
    const entry = new Entry(source, texts, await source.read(texts, undefined), this.#options.logger);
    this.#entries.add(entry);
    source.opened?.(texts);
    return {
      get value() {
        return entry.value;
      },
      onChange: (use) => void entry.uses.push(use),
      close: () => void this.#entries.delete(entry),
    };
  }

  /** Begins to watch, with a check for changes since the first reading. */
  start(): void {
    if (this.#entries.size === 0 || this.#isStopped) return;
    this.#watchAll();
    this.#checkAll();
    this.#poll = this.#options.clock.after(pollMs, () => this.start(), { background: true });
  }

  /** Resolves when no check runs any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#poll?.cancel();
    this.#settling?.cancel();
    for (const watched of this.#watched.values()) watched.close();
    await this.idle();
  }

  /** Resolves when no check runs. */
  async idle(): Promise<void> {
    await Promise.all([...this.#entries].map((entry) => entry.running));
  }

  /** Watches directories, because a new file replaces the old one. Each time again: a directory may be replaced, too. */
  #watchAll(): void {
    for (const watched of this.#watched.values()) watched.close();
    this.#watched.clear();
    const files = [...this.#entries].flatMap(({ source }) => source.files);
    for (const directory of new Set(files.map((file) => path.dirname(path.resolve(file)))))
      try {
        this.#watched.set(
          directory,
          this.#watchDirectory(directory, () => this.#changed()),
        );
        this.#unwatched.delete(directory);
      } catch (error) {
        if (!this.#unwatched.has(directory))
          this.#options.logger.warn('directory not watched: its files are read once a minute', {
            directory,
            error: String(error),
          });
        this.#unwatched.add(directory);
      }
  }

  #changed(): void {
    if (this.#isStopped) return;
    this.#settling ??= this.#options.clock.after(
      settleMs,
      () => {
        this.#settling = undefined;
        this.#checkAll();
      },
      { background: true },
    );
  }

  #checkAll(): void {
    for (const entry of this.#entries) entry.check();
  }
}

/** An entry without the type of its value. */
interface Checked {
  readonly source: { readonly files: readonly string[] };
  readonly running: Promise<void> | undefined;
  check(): void;
}

class Entry<T> implements Checked {
  readonly uses: ((value: T) => Promise<void> | void)[] = [];
  readonly source: FileSource<T>;
  value: T;
  readonly #initial: T;
  #texts: readonly string[];
  /** Invalid texts, which are not tried a second time. */
  #refused: readonly string[] | undefined;
  running: Promise<void> | undefined;
  #isDue = false;
  readonly #logger: Logger;

  constructor(source: FileSource<T>, texts: readonly string[], value: T, logger: Logger) {
    this.source = source;
    this.#texts = texts;
    this.value = value;
    this.#initial = value;
    this.#logger = logger;
  }

  /** One check at a time; a change during a check needs another one. */
  check(): void {
    this.#isDue = true;
    this.running ??= this.#run().finally(() => {
      this.running = undefined;
    });
  }

  async #run(): Promise<void> {
    while (this.#isDue) {
      this.#isDue = false;
      await this.#checkOnce();
    }
  }

  async #checkOnce(): Promise<void> {
    const { source } = this;
    let texts: readonly string[];
    try {
      texts = await textsOf(source);
    } catch (error) {
      return this.#failed([], error);
    }
    if (isSame(texts, this.#texts)) {
      this.#refused = undefined;
      return;
    }
    if (isSame(texts, this.#refused)) return;
    let next: T;
    try {
      next = await source.read(texts, this.#initial);
    } catch (error) {
      this.#refused = texts;
      return this.#failed(texts, error);
    }
    try {
      for (const use of this.uses) await use(next);
    } catch (error) {
      return this.#failed(texts, error);
    }
    this.value = next;
    this.#texts = texts;
    this.#refused = undefined;
    this.#logger.info('changed files are in use', { name: source.name, files: source.files });
    source.attempted?.('success', texts);
  }

  #failed(texts: readonly string[], error: unknown): void {
    const { name, files } = this.source;
    this.#logger.error('changed files cannot be used: their previous content stays in use', {
      name,
      files,
      error: (error as Error).message,
    });
    this.source.attempted?.('failure', texts);
  }
}

const textsOf = ({ files }: FileSource<unknown>): Promise<string[]> =>
  Promise.all(files.map((file) => readFile(file, 'utf8')));

const isSame = (some: readonly string[], others: readonly string[] | undefined): boolean =>
  others !== undefined && some.every((text, index) => text === others[index]);

const watchWithInotify: WatchDirectory = (directory, changed) => {
  const watcher: FSWatcher = watch(directory, { persistent: false }, changed);
  // The directory was removed: the next poll watches its successor.
  watcher.on('error', changed);
  return watcher;
};

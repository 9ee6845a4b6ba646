// Writes audit events to a file, one a line, and starts a new file when it is full.

import { createWriteStream, type WriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { AuditBackend } from './auditor.ts';

interface AuditLogOptions {
  /** "-": standard output. */
  readonly file: string;
  /** Megabytes of a file; 0 for no limit. Default 100. */
  readonly maxSize?: number;
  /** Number of old files; 0 for all. Default 0. */
  readonly maxBackups?: number;
  /** Maximum age of old files in days; 0: unlimited. Default 0. */
  readonly maxAge?: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Bytes buffered for a slow disk; further events are dropped. */
const mostWaiting = 64 << 20;
const dayMs = 86_400_000;

/** Rejects when the file cannot be opened. */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditBackend> {
  const log = new AuditLog(options);
  await log.open();
  return log;
}

class AuditLog implements AuditBackend {
  readonly name = 'log';
  readonly #options: AuditLogOptions;
  #stream: WriteStream | typeof process.stdout | undefined;
  #size = 0;
  #dropped = 0;
  #lastBackupMs = 0;
  #rotating: Promise<void> | undefined;
  #waiting: string[] = [];

  constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  get lost(): number {
    return this.#dropped;
  }

  async open(): Promise<void> {
    const { file, logger } = this.#options;
    if (file === '-') {
      this.#stream = process.stdout;
      return;
    }
    this.#size = await stat(file).then(
      ({ size }) => size,
      () => 0,
    );
    const stream = createWriteStream(file, { flags: 'a', mode: 0o600 });
    await new Promise<void>((resolve, reject) => {
      stream.once('open', () => resolve());
      stream.once('error', reject);
    });
    stream.on('error', (error) => logger.warn('audit events lost', { file, error: String(error) }));
    this.#stream = stream;
  }

  write(event: string): void {
    const line = `${event}\n`;
    if (this.#rotating) {
      this.#waiting.push(line);
      return;
    }
    const stream = this.#stream;
    if (!stream || stream.destroyed || stream.writableLength > mostWaiting) return this.#drop();
    this.#size += Buffer.byteLength(line);
    stream.write(line);
    const { maxSize = 100, file } = this.#options;
    if (file !== '-' && maxSize > 0 && this.#size >= maxSize * 2 ** 20) this.#rotate();
  }

  async close(): Promise<void> {
    // The events that waited for a new file may fill that one too.
    while (this.#rotating) await this.#rotating;
    const stream = this.#stream;
    if (stream && stream !== process.stdout) await new Promise<void>((resolve) => stream.end(() => resolve()));
  }

  #drop(): void {
    if (this.#dropped++ % 1000 === 0)
      this.#options.logger.warn('audit events lost', { file: this.#options.file, lost: this.#dropped });
  }

  #rotate(): void {
    this.#rotating = this.#startNewFile()
      .catch((error) => this.#options.logger.warn('cannot rotate the audit log', { error: String(error) }))
      .finally(() => {
        this.#rotating = undefined;
        const waiting = this.#waiting;
        this.#waiting = [];
        for (const line of waiting) this.write(line.slice(0, -1));
      });
  }

  async #startNewFile(): Promise<void> {
    const { file, clock } = this.#options;
    const full = this.#stream as WriteStream;
    await new Promise<void>((resolve) => full.end(() => resolve()));
    const { dir, name, ext } = path.parse(file);
    // Two files may fill within a millisecond, and neither may take the other's name.
    this.#lastBackupMs = Math.max(clock.now(), this.#lastBackupMs + 1);
    const time = new Date(this.#lastBackupMs).toISOString().replaceAll(':', '-').slice(0, -1);
    await rename(file, path.join(dir, `${name}-${time}${ext}`));
    await this.open();
    await this.#removeOld(dir, `${name}-`, ext);
  }

  async #removeOld(directory: string, prefix: string, ending: string): Promise<void> {
    const { maxBackups = 0, maxAge = 0, clock } = this.#options;
    const pattern = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}$/;
    const timeOf = (name: string) => name.slice(prefix.length, name.length - ending.length);
    const isOld = (name: string) => name.startsWith(prefix) && name.endsWith(ending) && pattern.test(timeOf(name));
    const backups = (await readdir(directory || '.')).filter(isOld).sort().reverse();
    const oldest = maxAge > 0 ? new Date(clock.now() - maxAge * dayMs).toISOString().replaceAll(':', '-') : '';
    const expired = backups.filter((name, i) => (maxBackups > 0 && i >= maxBackups) || timeOf(name) < oldest);
    for (const name of expired) await rm(path.join(directory, name), { force: true });
  }
}

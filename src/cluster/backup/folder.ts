// A place with backups.

/** A backup cannot be written or read. The message has the reason and the remedy. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
}

/** A directory, or a prefix of an S3 bucket. */
export interface BackupFolder {
  /** Writes it as a whole or not at all; resolves with its size. Throws BackupError if the name is taken. */
  write(name: string, bytes: AsyncIterable<Uint8Array>): Promise<number>;
  read(name: string): AsyncIterable<Uint8Array>;
  list(): Promise<readonly string[]>;
  remove(name: string): Promise<void>;
}

/** Of files that are not complete: .NAME.PID and this. */
export const partialSuffix = '.coracle-partial';

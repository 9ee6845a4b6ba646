import { rm } from 'node:fs/promises';

/** Also while a program that is just being ended still writes files there. */
export async function removeDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
}

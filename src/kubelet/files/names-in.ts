import { readdir } from 'node:fs/promises';

/** The names in a directory; none without a directory. */
export const namesIn = (directory: string): Promise<string[]> => readdir(directory).catch(() => []);

// A socket's path has at most 107 bytes. A longer one is reached through an open descriptor of its directory.

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { directoryOnly, pathOf } from '../files/safe-path.ts';

const longestPath = 107;

interface SocketPath {
  readonly path: string;
  close(): Promise<void>;
}

/** The returned path is valid until `close`. A missing directory gives the path itself: the connection then fails. */
export async function openSocketPath(socket: string): Promise<SocketPath> {
  const asItIs = { path: socket, close: async () => {} };
  if (Buffer.byteLength(socket) <= longestPath) return asItIs;
  const directory = await open(path.dirname(socket), directoryOnly & ~constants.O_NOFOLLOW).catch(() => undefined);
  if (!directory) return asItIs;
  return { path: `${pathOf(directory)}/${path.basename(socket)}`, close: () => directory.close() };
}

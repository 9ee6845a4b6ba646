// File descriptors that a parent process left open by accident: a library may open a file without close-on-exec.

import { closeSync, readdirSync, readlinkSync } from 'node:fs';

/** Node's own, besides pipes, sockets and what has no name. */
const ownFiles = new Set(['/dev/null', '/dev/urandom', '/dev/random']);

/** Closes the files among them. To be called first: a process that has opened none itself has inherited those it has. */
export function closeInherited(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const file = Number(name);
    if (file > 2 && isFile(file)) closeSync(file);
  }
}

function isFile(file: number): boolean {
  try {
    const target = readlinkSync(`/proc/self/fd/${file}`);
    return target.startsWith('/') && !ownFiles.has(target);
  } catch {
    return false; // it was that of the directory
  }
}

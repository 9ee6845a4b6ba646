// File descriptors without close-on-exec: native libraries may open such files (LMDB does), and every child would
// inherit them.

import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { systemClock } from '../../machinery/time/clock.ts';

const closeOnExec = 0o2000000;
/** Node's files, besides pipes, sockets and unnamed ones. */
const ownFiles = new Set(['/dev/null', '/dev/urandom', '/dev/random']);
/** Long-lived files are opened at a process's start, so rare checks suffice. */
const lookAgainMs = 10_000;

type Stdio = 'ignore' | 'pipe';

let leaking: { readonly files: readonly number[]; readonly atMs: number } | undefined;
let nothing: number | undefined;

/** For `spawn`: the child's descriptors. Files that it would inherit are replaced by /dev/null. */
export function childStdio(first: readonly Stdio[]): (Stdio | number)[] {
  const nowMs = systemClock.monotonic();
  if (!leaking || nowMs - leaking.atMs > lookAgainMs) leaking = { files: openFiles().filter(leaks), atMs: nowMs };
  const stdio: (Stdio | number)[] = [...first];
  for (const file of leaking.files) {
    while (stdio.length < file) stdio.push('ignore');
    stdio[file] = nothing ??= openSync('/dev/null', 'r');
  }
  return stdio;
}

/** Closes them. To be called first: a process that has opened none itself has inherited those it has. */
export function closeInherited(): void {
  for (const file of openFiles()) closeSync(file);
}

function openFiles(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((file) => file > 2 && isFile(file));
}

function isFile(file: number): boolean {
  try {
    const target = readlinkSync(`/proc/self/fd/${file}`);
    return target.startsWith('/') && !ownFiles.has(target);
  } catch {
    return false; // it was that of the directory
  }
}

function leaks(file: number): boolean {
  try {
    const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${file}`, 'utf8'))?.[1] ?? '';
    return (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch {
    return false; // closed meanwhile
  }
}

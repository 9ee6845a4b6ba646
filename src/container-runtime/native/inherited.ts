// File descriptors without close-on-exec: a native library may open a file so (LMDB does), and every child would have it.

import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { systemClock } from '../../machinery/time/clock.ts';

const closeOnExec = 0o2000000;
/** Node's own, besides pipes, sockets and what has no name. */
const ownFiles = new Set(['/dev/null', '/dev/urandom', '/dev/random']);
/** Files that stay open are opened when a process starts, so looking again is seldom needed. */
const lookAgainMs = 10_000;

type Stdio = 'ignore' | 'pipe';

let leaking: { readonly files: readonly number[]; readonly atMs: number } | undefined;
let nothing: number | undefined;

/** For `spawn`: the descriptors that the child is to have. In the place of a file that it would inherit, it gets /dev/null. */
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

// File descriptors that a parent process left open by accident: a library may open a file without close-on-exec.

import { closeSync, readdirSync, readFileSync } from 'node:fs';

const closeOnExec = 0o2000000;

/** Closes them. To be called first: what a process opens itself has close-on-exec, so what has not was inherited. */
export function closeInherited(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const file = Number(name);
    if (file > 2 && !closesOnExec(file)) closeSync(file);
  }
}

function closesOnExec(file: number): boolean {
  try {
    const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${file}`, 'utf8'))?.[1];
    return (Number.parseInt(flags ?? '', 8) & closeOnExec) !== 0;
  } catch {
    return true; // it was the directory's own
  }
}

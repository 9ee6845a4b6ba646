// The log of a container in CRI's format: https://kubernetes.io/docs/concepts/cluster-administration/logging/

import * as fs from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../../machinery/time/clock.ts';

/** containerd's size of a line; longer ones are written in pieces with the tag P. */
const lineBytes = 16 << 10;
const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = fs.constants;

export class LogFile {
  readonly #path: string;
  readonly #clock: Clock;
  #descriptor: number | undefined;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
    this.reopen();
  }

  /** Begins a new file after the present one was moved away. */
  reopen(): void {
    this.close();
    fs.mkdirSync(dirname(this.#path), { recursive: true, mode: 0o755 });
    this.#descriptor = fs.openSync(this.#path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o640);
  }

  /** A line that cannot be written is lost: the program matters more. */
  write(text: string, stream: 'stdout' | 'stderr'): void {
    if (this.#descriptor === undefined) return;
    const time = new Date(this.#clock.now()).toISOString().replace('Z', '000000Z');
    const entries = text
      .split('\n')
      .flatMap(pieces)
      .map(({ piece, tag }) => `${time} ${stream} ${tag} ${piece}\n`);
    try {
      fs.writeSync(this.#descriptor, entries.join(''));
    } catch {}
  }

  close(): void {
    if (this.#descriptor !== undefined) fs.closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

function pieces(line: string): { readonly piece: string; readonly tag: 'P' | 'F' }[] {
  const count = Math.max(1, Math.ceil(line.length / lineBytes));
  return Array.from({ length: count }, (_, i) => ({
    piece: line.slice(i * lineBytes, (i + 1) * lineBytes),
    tag: i === count - 1 ? 'F' : 'P',
  }));
}

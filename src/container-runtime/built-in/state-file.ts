// The sandboxes and containers of built-in images, on disk for the next process.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ContainerStatus, Sandbox } from '../interface.ts';

interface State {
  readonly sandboxes: readonly Sandbox[];
  readonly containers: readonly ContainerStatus[];
}

/** A file that is missing or unreadable has none: the kubelet makes its pods again. */
export function readState(file: string): State {
  try {
    const { sandboxes, containers } = JSON.parse(readFileSync(file, 'utf8')) as Partial<State>;
    return { sandboxes: sandboxes ?? [], containers: containers ?? [] };
  } catch {
    return { sandboxes: [], containers: [] };
  }
}

export function writeState(file: string, state: State): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, JSON.stringify(state), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

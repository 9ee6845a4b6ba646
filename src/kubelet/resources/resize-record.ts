// The record of a resized pod: a file in the pod's directory. Without it, the containers' annotations have the resources.

import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Resources } from './resize-amounts.ts';

export interface ResizeRecord {
  readonly allocated: Record<string, Resources>;
  readonly allocatedPod?: Resources;
  /** By container id; includes the pod's limits for containers without limits. */
  readonly actual: Record<string, Resources>;
  readonly actualPod?: Resources;
}

/** Keeps the record of one pod. */
export interface ResizeRecordKeeper {
  /** Undefined for a pod that was never resized. */
  read(): ResizeRecord | undefined;
  write(record: ResizeRecord): Promise<void>;
}

export const resizeRecordIn = (podDirectory: string): ResizeRecordKeeper => {
  const file = path.join(podDirectory, 'resources.json');
  return {
    read() {
      try {
        return JSON.parse(readFileSync(file, 'utf8')) as ResizeRecord;
      } catch {
        return undefined;
      }
    },
    async write(record) {
      await mkdir(podDirectory, { recursive: true, mode: 0o750 });
      await writeFile(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
      await rename(`${file}.new`, file);
    },
  };
};

// The state of the lab, as signals: read while the page is open, so that ages follow the time of the cluster.

import { signal } from '@preact/signals';
import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';
import { readLab, writeLab } from '../api/api.ts';
import { setClusterTime } from '../system.ts';
import { whileVisible } from '../ui/poll.ts';
import type { LabChange } from './lesson.ts';

export interface LabNode {
  readonly name: string;
  readonly isStopped: boolean;
  readonly isCut: boolean;
  readonly isFull: boolean;
}

interface LabState {
  readonly pace: number;
  readonly nowMs: number;
  readonly nodes: readonly LabNode[];
}

export const lab = signal<LabState | undefined>(undefined);
/** Why the user has no lab. */
export const labFault = signal('');
const periodMs = 2_000;

/** Returns a function that ends it. */
export function followLab(): () => void {
  let isRefused = false;
  return whileVisible(periodMs, async () => {
    if (isRefused) return;
    await readLab().then(show, (error) => {
      // Users without the right are not asked again.
      isRefused = fieldsIn(error)['code'] === 403;
      labFault.value = error instanceof Error ? error.message : String(error);
    });
  });
}

export const changeLab = async (change: LabChange): Promise<void> => show(await writeLab(change));

function show(answer: unknown): void {
  const { pace, nowMs, nodes } = fieldsIn(answer);
  labFault.value = '';
  setClusterTime(Number(nowMs));
  lab.value = {
    ...{ pace: Number(pace), nowMs: Number(nowMs) },
    nodes: listIn(nodes).map((item) => {
      const { name, isStopped, isCut, isFull } = fieldsIn(item);
      return { name: textIn(name), isStopped: isStopped === true, isCut: isCut === true, isFull: isFull === true };
    }),
  };
}

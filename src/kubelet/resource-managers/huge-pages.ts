// The huge pages that the machine has reserved. https://kubernetes.io/docs/tasks/manage-hugepages/scheduling-hugepages/

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { formatQuantity } from '../../machinery/quantity.ts';

export type HugePages = readonly {
  /** Such as hugepages-2Mi. */
  readonly resource: string;
  /** Of all pages together. */
  readonly bytes: number;
}[];

/** Of this machine. The number of its pages is that of the kubelet's start. */
export const machineHugePages = (): HugePages => huge('/sys/kernel/mm/hugepages');

/** The resource of pages of this size. */
const hugePagesResource = (pageBytes: number): string =>
  `hugepages-${formatQuantity({ nanos: BigInt(pageBytes) * 1_000_000_000n, format: 'BinarySI' })}`;

/** From a directory of the kernel: hugepages-2048kB/nr_hugepages. None if it has no huge pages. */
export function huge(directory: string): HugePages {
  try {
    return readdirSync(directory).flatMap((name) => {
      const kilobytes = /^hugepages-(\d+)kB$/.exec(name)?.[1];
      if (kilobytes === undefined) return [];
      const pageBytes = Number(kilobytes) * 1024;
      const count = Number(readFileSync(path.join(directory, name, 'nr_hugepages'), 'utf8'));
      return [{ resource: hugePagesResource(pageBytes), bytes: count * pageBytes }];
    });
  } catch {
    return [];
  }
}

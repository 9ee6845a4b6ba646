// The addresses of an ipBlock: its CIDR without its exceptions.

import { type Cidr, cidrSize, cidrsOverlap, formatIp, parseCidr } from '../machinery/ip.ts';

export interface AddressRange {
  readonly family: 4 | 6;
  readonly first: string;
  readonly last: string;
}

/** Sorted ranges without overlaps. None when a text is not a CIDR: then the block permits nothing. */
export function blockRanges(cidr: string, except: readonly string[]): AddressRange[] {
  const block = parseCidr(cidr);
  const holes = except.map(parseCidr);
  if (!block || holes.includes(undefined)) return [];
  const { family } = block;
  const ranges: AddressRange[] = [];
  let next = block.base;
  const addUntil = (end: bigint) => {
    if (end > next)
      ranges.push({
        family,
        first: formatIp({ family, value: next }),
        last: formatIp({ family, value: end - 1n }),
      });
  };
  const inOrder = (holes as Cidr[])
    .filter((hole) => cidrsOverlap(block, hole))
    .sort((a, b) => (a.base < b.base ? -1 : 1));
  for (const hole of inOrder) {
    addUntil(hole.base);
    if (endOf(hole) > next) next = endOf(hole);
  }
  addUntil(endOf(block));
  return ranges;
}

/** The address after the last one. */
const endOf = (cidr: Cidr): bigint => cidr.base + cidrSize(cidr);

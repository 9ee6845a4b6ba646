// The addresses of an ipBlock: its CIDR without its exceptions.

import { type Cidr, cidrSize, cidrsOverlap, formatIp, parseCidr } from '../machinery/ip.ts';
import type { Steps } from '../machinery/time/steps.ts';

export interface AddressRange {
  readonly family: 4 | 6;
  readonly first: string;
  readonly last: string;
}

/** A part of the addresses of one family; `end` is the address after the last one. */
interface Span {
  readonly family: 4 | 6;
  readonly start: bigint;
  readonly end: bigint;
}

interface IpBlock {
  readonly cidr: string;
  readonly except?: readonly string[];
}

const cidrsPerStep = 500;

/**
 * The addresses of at least one block: sorted ranges without overlaps, family by family. A block with a text that is no
 * CIDR permits nothing.
 */
export function* blockRanges(blocks: readonly IpBlock[]): Steps<AddressRange[]> {
  const spans: Span[] = [];
  for (const block of blocks) {
    for (const span of yield* spansOf(block)) spans.push(span);
    yield;
  }
  const ranges: AddressRange[] = [];
  for (const [index, { family, start, end }] of united(spans).entries()) {
    ranges.push({ family, first: formatIp({ family, value: start }), last: formatIp({ family, value: end - 1n }) });
    if (index % cidrsPerStep === 0) yield;
  }
  return ranges;
}

function* spansOf({ cidr, except = [] }: IpBlock): Steps<Span[]> {
  const block = parseCidr(cidr);
  if (!block) return [];
  const holes: Cidr[] = [];
  for (const [index, text] of except.entries()) {
    const hole = parseCidr(text);
    if (!hole) return [];
    if (cidrsOverlap(block, hole)) holes.push(hole);
    if (index % cidrsPerStep === 0) yield;
  }
  const { family } = block;
  const spans: Span[] = [];
  let start = block.base;
  const addUntil = (end: bigint) => {
    if (end > start) spans.push({ family, start, end });
  };
  for (const hole of holes.sort((a, b) => (a.base < b.base ? -1 : 1))) {
    addUntil(hole.base);
    if (endOf(hole) > start) start = endOf(hole);
  }
  addUntil(endOf(block));
  return spans;
}

function united(spans: readonly Span[]): Span[] {
  const result: Span[] = [];
  const isBefore = (a: Span, b: Span) => (a.family === b.family ? a.start < b.start : a.family < b.family);
  for (const span of spans.toSorted((a, b) => (isBefore(a, b) ? -1 : 1))) {
    const last = result.at(-1);
    if (last?.family !== span.family || span.start > last.end) result.push(span);
    else if (span.end > last.end) result[result.length - 1] = { ...last, end: span.end };
  }
  return result;
}

/** The address after the last one. */
const endOf = (cidr: Cidr): bigint => cidr.base + cidrSize(cidr);

// Sets of CPUs, and their text: 0-3,5. Pure.

export type CpuSet = ReadonlySet<number>;

export const noCpus: CpuSet = new Set();
/** The kernel's largest CPU number is below this. */
const mostCpus = 8192;

export const sorted = (cpus: Iterable<number>): number[] => [...cpus].sort((a, b) => a - b);

/** Throws an Error in Kubernetes' words. */
export function parseCpuSet(text: string): CpuSet {
  const cpus = new Set<number>();
  if (text === '') return cpus;
  for (const part of text.split(',')) {
    const dash = part.indexOf('-');
    const [first, last] = dash < 0 ? [part, part] : [part.slice(0, dash), part.slice(dash + 1)];
    const [start, end] = [numberOf(first), numberOf(last)];
    if (start > end) throw new Error(`invalid range ${JSON.stringify(part)} (${start} > ${end})`);
    for (let cpu = start; cpu <= end; cpu++) cpus.add(cpu);
  }
  return cpus;
}

function numberOf(text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (Number(text) >= mostCpus) throw new Error(`CPU ${text} is not below ${mostCpus}`);
  return Number(text);
}

export function formatCpuSet(cpus: CpuSet): string {
  const ranges: [number, number][] = [];
  for (const cpu of sorted(cpus)) {
    const last = ranges.at(-1);
    if (last && last[1] === cpu - 1) last[1] = cpu;
    else ranges.push([cpu, cpu]);
  }
  return ranges.map(([start, end]) => (start === end ? `${start}` : `${start}-${end}`)).join();
}

export const isEqual = (a: CpuSet, b: CpuSet): boolean => a.size === b.size && a.isSubsetOf(b);

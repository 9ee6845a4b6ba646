// Completion indexes of Indexed Jobs, as the text that status keeps them in: "0-2,4".
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode

import type { Pod } from '../../api/api.ts';

export const indexAnnotation = 'batch.kubernetes.io/job-completion-index';

export function indexOf(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[indexAnnotation];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

export function parseIndexes(text: string | undefined): Set<number> {
  const indexes = new Set<number>();
  for (const part of (text ?? '').split(',').filter(Boolean)) {
    const [first, last = first] = part.split('-').map(Number);
    for (let index = first; index <= last; index++) indexes.add(index);
  }
  return indexes;
}

export function formatIndexes(indexes: ReadonlySet<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let from = 0; from < sorted.length; ) {
    let to = from;
    while (to + 1 < sorted.length && sorted[to + 1] === sorted[to] + 1) to++;
    // Two neighbours are listed, three or more are a range.
    if (to - from < 2) parts.push(...sorted.slice(from, to + 1).map(String));
    else parts.push(`${sorted[from]}-${sorted[to]}`);
    from = to + 1;
  }
  return parts.join(',');
}

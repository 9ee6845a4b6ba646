// The plural of a kind as people write it: NetworkPolicies.

import type { Kind } from './kinds.ts';

/** The kind has the capitals, the resource has the plural. */
export function titleOf({ kind, resource }: Pick<Kind, 'kind' | 'resource'>): string {
  const lower = kind.toLowerCase();
  let same = 0;
  while (same < lower.length && lower[same] === resource[same]) same++;
  return same === 0 ? resource : kind.slice(0, same) + resource.slice(same);
}

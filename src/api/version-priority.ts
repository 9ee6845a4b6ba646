import { compareText } from '../machinery/collections/in-order.ts';

/**
 * The order in which clients should prefer versions: v2 before v1, v1 before v1beta2, that before v1alpha1, and other
 * names last.
 */
export function comparePriority(a: string, b: string): number {
  const [x, y] = [priority(a), priority(b)];
  for (const [i, value] of x.entries()) if (value !== y[i]) return y[i] - value;
  return compareText(a, b);
}

function priority(version: string): [stability: number, major: number, minor: number] {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (!match) return [-1, 0, 0];
  const stability = match[2] === 'alpha' ? 0 : match[2] === 'beta' ? 1 : 2;
  return [stability, Number(match[1]), Number(match[3] ?? 0)];
}

// Writes into an annotation how long kubelets may keep secrets and config maps, by the number of nodes.
// https://kubernetes.io/docs/reference/labels-annotations-taints/#node-alpha-kubernetes-io-ttl

import type { Node } from '../../api/api.ts';
import { type Controller, own } from '../../client/client.ts';

const annotation = 'node.alpha.kubernetes.io/ttl';

/** The ranges overlap, so that a number of nodes at a limit does not change all annotations again and again. */
const steps = [
  { least: 0, most: 100, seconds: 0 },
  { least: 90, most: 500, seconds: 15 },
  { least: 450, most: 1000, seconds: 30 },
  { least: 900, most: 2000, seconds: 60 },
  { least: 1800, most: Number.POSITIVE_INFINITY, seconds: 300 },
] as const;

/** The step for a number of nodes that was at `step` before. */
export function stepFor(nodes: number, step: number): number {
  let next = step;
  while (nodes > steps[next].most) next++;
  while (nodes < steps[next].least) next--;
  return next;
}

export function ttl(): Controller {
  let step = 0;
  return {
    name: 'ttl',
    // The next report of each node follows a change of their number.
    watches: [own('nodes')],
    async reconcile(key, { lister, client }) {
      const nodes = lister('nodes');
      step = stepFor(nodes.list().length, step);
      const wanted = String(steps[step].seconds);
      const node = nodes.get(key);
      if (!node || isSet(node, wanted)) return;
      const body = { metadata: { annotations: { [annotation]: wanted } } };
      await client.patch('nodes', { name: key }, { type: 'merge', body });
    },
  };
}

const isSet = ({ metadata }: Node, wanted: string): boolean => metadata.annotations?.[annotation] === wanted;

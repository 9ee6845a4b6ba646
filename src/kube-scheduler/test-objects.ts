// Nodes and pods for this room's tests, from a few arguments.

import type { Node, Pod } from '../api/api.ts';
import { SchedulerCache } from './cache.ts';
import type { Plugin } from './framework.ts';
import type { NodeInfo } from './node-info.ts';
import { podInfo } from './pod-info.ts';

let serial = 0;

/** A node of 4 cores, 8 GiB and 10 pods; `allocatable` overrides them. */
export const node = (
  name: string,
  { labels = {}, allocatable = {}, ...spec }: { labels?: object; allocatable?: object; [field: string]: unknown } = {},
): Node =>
  ({
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec,
    status: { allocatable: { cpu: '4', memory: '8Gi', 'ephemeral-storage': '10Gi', pods: '10', ...allocatable } },
  }) as unknown as Node;

/** A pod of one container with these requests; `more` is merged into its spec. */
export const pod = (
  requests: Readonly<Record<string, string>> = {},
  { labels = {}, ports = [], ...more }: { labels?: object; ports?: object[]; [field: string]: unknown } = {},
): Pod => {
  const id = serial++;
  const container = { name: 'main', image: 'x', resources: { requests }, ports };
  return {
    metadata: { name: `pod-${id}`, namespace: 'default', uid: `uid-${id}`, labels },
    spec: { containers: [container], ...more },
  } as unknown as Pod;
};

/** The nodes with the pods that are on them. */
export function cacheOf(nodes: readonly Node[], there: readonly (readonly [string, Pod])[] = []): SchedulerCache {
  const cache = new SchedulerCache();
  cache.setNamespace('default', {});
  for (const one of nodes) cache.setNode(one);
  for (const [name, placed] of there) cache.place(podInfo(placed), name);
  return cache;
}

/** Scores of each node (or each that `names` has), normalized; undefined when the plugin skips the pod. */
export function scoresOf(
  plugin: Plugin,
  coming: Pod,
  cache: SchedulerCache,
  names?: readonly string[],
): Record<string, number> | undefined {
  const nodes = cache.nodes.filter(({ name }) => names?.includes(name) ?? true);
  const cycle = plugin.prepareScore?.(podInfo(coming), nodes, cache);
  if (!cycle || cycle === 'skip') return undefined;
  const scores = Float64Array.from(nodes, (node) => cycle.score(node));
  cycle.normalize?.(scores);
  return Object.fromEntries(nodes.map(({ name }, i) => [name, scores[i] as number]));
}

/** The verdict of the plugin on each node: its reasons, or `fits`. */
export function verdictsOf(plugin: Plugin, coming: Pod, cache: SchedulerCache): Record<string, string> {
  const cycle = plugin.prepareFilter?.(podInfo(coming), cache);
  const verdictOf = (node: NodeInfo): string => {
    if (!cycle || cycle === 'skip') return 'fits';
    const rejections = 'filter' in cycle ? cycle.filter(node) : cycle;
    return rejections === undefined
      ? 'fits'
      : [rejections]
          .flat()
          .map(({ reason }) => reason)
          .join(', ');
  };
  return Object.fromEntries(cache.nodes.map((node) => [node.name, verdictOf(node)]));
}

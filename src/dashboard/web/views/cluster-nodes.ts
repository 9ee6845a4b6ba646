// Nodes with their pods, from the tables of both.

import { useMemo } from 'preact/hooks';
import type { OpenFeed } from '../feeds/client.ts';
import type { Row } from '../model/rows.ts';
import { toneOf } from '../model/tone.ts';
import { useFeed } from '../ui/feed-hooks.ts';
import type { Dot } from './pod-dots.tsx';

export interface NodeWithPods {
  readonly name: string;
  readonly status: string;
  readonly version: string;
  readonly dots: readonly Dot[];
}

export interface ClusterNodes {
  readonly nodes: readonly NodeWithPods[];
  /** Pods that no node has. */
  readonly waiting: readonly Dot[];
  readonly podCount: number;
  /** Why there are none. */
  readonly fault: string | undefined;
}

export function useClusterNodes(): ClusterNodes {
  const nodes = useFeed({ path: '/api/v1/nodes', as: 'table' });
  const pods = useFeed({ path: '/api/v1/pods', as: 'table' });
  const versions = `${nodes?.version.value} ${pods?.version.value}`;
  const phase = nodes?.phase.value;
  // The versions stand for the content of the feeds.
  return useMemo(
    () => ({ ...arranged(nodes, pods), fault: phase?.name === 'failed' ? phase.message : undefined }),
    [nodes, pods, versions, phase],
  );
}

function arranged(nodes: OpenFeed | undefined, pods: OpenFeed | undefined): Omit<ClusterNodes, 'fault'> {
  const column = (feed: OpenFeed | undefined, name: string) =>
    feed?.columns.peek().findIndex((one) => one.name === name) ?? -1;
  const text = (row: Row, index: number) => String(row.cells[index] ?? '');
  const [status, node] = [column(pods, 'Status'), column(pods, 'Node')];
  const ready = column(pods, 'Ready');
  const byNode = new Map<string, Dot[]>();
  for (const row of pods?.rows.values() ?? []) {
    const word = text(row, status);
    const isPartly = word === 'Running' && !/^(\d+)\/\1$/.test(text(row, ready));
    const dot = {
      namespace: row.namespace,
      name: row.name,
      status: word,
      tone: isPartly ? 'busy' : toneOf(word),
    } as const;
    const list = byNode.get(text(row, node));
    if (list) list.push(dot);
    else byNode.set(text(row, node), [dot]);
  }
  const [nodeStatus, version] = [column(nodes, 'Status'), column(nodes, 'Version')];
  const found = [...(nodes?.rows.values() ?? [])]
    .map((row) => ({
      name: row.name,
      status: text(row, nodeStatus),
      version: text(row, version),
      dots: (byNode.get(row.name) ?? []).sort(byName),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const waiting = [...(byNode.get('') ?? []), ...(byNode.get('<none>') ?? [])];
  return { nodes: found, waiting, podCount: pods?.rows.size ?? 0 };
}

const byName = (a: Dot, b: Dot): number => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1);

// The containers whose logs belong to an object.

import { useMemo } from 'preact/hooks';
import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';
import type { KubeObject } from '../api/api.ts';
import type { LogSource } from '../api/log-stream.ts';
import { type Kind, kindId } from '../model/kinds.ts';
import { selectorText } from '../model/selector-text.ts';
import { useFeed } from '../ui/feed-hooks.ts';

/** Streams that are open at a time. */
const most = 20;

/** Kinds whose pods their selector selects. */
const workloads = [
  ...['deployments.apps', 'replicasets.apps', 'statefulsets.apps', 'daemonsets.apps', 'jobs.batch'],
  ...['replicationcontrollers', 'services'],
];

export const hasLogs = (kind: Kind): boolean => kindId(kind) === 'pods' || workloads.includes(kindId(kind));

export function useLogSources(kind: Kind, object: KubeObject): readonly LogSource[] {
  const isPod = kindId(kind) === 'pods';
  const labelSelector = isPod ? '' : selectorText(fieldsIn(object.spec)['selector']);
  const namespace = object.metadata.namespace ?? '';
  const feed = useFeed(
    isPod || !labelSelector
      ? undefined
      : { path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`, as: 'objects', labelSelector },
  );
  const version = feed?.version.value ?? 0;
  // The version stands for the content of the feed.
  return useMemo(() => {
    const pods = isPod ? [object] : [...(feed?.objects.values() ?? [])];
    return pods.flatMap(sourcesOf).slice(0, most);
  }, [isPod, isPod ? object : undefined, feed, version]);
}

export function sourcesOf(pod: unknown): LogSource[] {
  const name = textIn(fieldsIn(fieldsIn(pod)['metadata'])['name']);
  const { containers, initContainers, ephemeralContainers } = fieldsIn(fieldsIn(pod)['spec']);
  return [initContainers, containers, ephemeralContainers].flatMap((list) =>
    listIn(list).map((item) => ({ pod: name, container: textIn(fieldsIn(item)['name']) })),
  );
}

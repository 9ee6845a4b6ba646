// Volumes with zone or region labels are usable in their zone or region only.
// https://kubernetes.io/docs/reference/labels-annotations-taints/#topologykubernetesiozone

import { type PersistentVolume, storageClassOf } from '../../api/api.ts';
import type { Plugin, Rejection, Snapshot } from '../framework.ts';
import { unresolvable } from '../framework.ts';
import type { PodInfo } from '../pod-info.ts';

/** Labels, each with its successor. */
const topologyLabels: Readonly<Record<string, string>> = {
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region': 'topology.kubernetes.io/region',
};
/** Separates the zones of a volume that is in several. */
const separator = '__';

const conflict = unresolvable('node(s) had no available volume zone');

interface Topology {
  readonly key: string;
  readonly values: readonly string[];
}

const topologiesOf = ({ metadata }: PersistentVolume): Topology[] =>
  Object.keys(topologyLabels).flatMap((key) => {
    const values = metadata.labels?.[key]?.split(separator).map((zone) => zone.trim());
    // An empty zone makes the whole label invalid.
    return values && !values.includes('') ? [{ key, values }] : [];
  });

function topologiesOfPod({ pod, claims }: PodInfo, { storage }: Snapshot): Rejection | Topology[] {
  const topologies: Topology[] = [];
  for (const key of claims) {
    const name = key.slice(key.indexOf('/') + 1);
    const claim = storage.claim(pod.metadata.namespace ?? '', name);
    if (!claim) return unresolvable(`persistentvolumeclaim ${JSON.stringify(name)} not found`);
    const { volumeName } = claim.spec;
    if (volumeName) {
      const volume = storage.volume(volumeName);
      if (!volume) return unresolvable(`persistentvolume ${JSON.stringify(volumeName)} not found`);
      topologies.push(...topologiesOf(volume));
      continue;
    }
    const className = storageClassOf(claim);
    if (!className) return unresolvable('PersistentVolumeClaim had no pv name and storageClass name');
    const storageClass = storage.class(className);
    if (!storageClass) return unresolvable(`storageclass.storage.k8s.io ${JSON.stringify(className)} not found`);
    if (storageClass.volumeBindingMode !== 'WaitForFirstConsumer') return unresolvable('PersistentVolume had no name');
  }
  return topologies;
}

export const volumeZone: Plugin = {
  name: 'VolumeZone',
  prepareFilter(info, snapshot) {
    if (info.claims.length === 0) return 'skip';
    const topologies = topologiesOfPod(info, snapshot);
    if ('reason' in topologies) return topologies;
    if (topologies.length === 0) return 'skip';
    return {
      filter({ node }) {
        const labels = node.metadata.labels ?? {};
        // A node without any such label is in a cluster without zones.
        if (!Object.keys(topologyLabels).some((key) => labels[key] !== undefined)) return undefined;
        const fits = topologies.every(({ key, values }) => {
          const value = labels[key] ?? labels[topologyLabels[key]];
          return value !== undefined && values.includes(value);
        });
        return fits ? undefined : conflict;
      },
    };
  },
  wakes(event, { claims }) {
    if (event.type === 'claim-changed')
      return claims.includes(`${event.claim.metadata.namespace}/${event.claim.metadata.name}`);
    if (event.type === 'node-changed') return event.aspects.includes('labels');
    return event.type === 'node-added' || event.type === 'storage-changed';
  },
};

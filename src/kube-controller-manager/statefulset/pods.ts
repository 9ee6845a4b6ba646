// The pods of a StatefulSet: names, identities, storage.
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-identity

import { type ControllerRevision, isAlreadyExists, isNotFound, type Pod, type StatefulSet } from '../../api/api.ts';
import { controllerReference, type Tools } from '../../client/client.ts';
import type { Fields } from '../../machinery/parsed.ts';
import { type NewPod, podFromTemplate } from '../shared/pods.ts';
import { hashOf, revisionHashLabel } from '../shared/revisions.ts';
import { claimNameOf, createMissingClaims } from './claims.ts';

const podNameLabel = 'statefulset.kubernetes.io/pod-name';
const podIndexLabel = 'apps.kubernetes.io/pod-index';

/** The ordinal in a pod's name; -1 when it is none of the set's names. */
export function ordinalOf(set: StatefulSet, pod: Pod): number {
  const { name } = pod.metadata;
  const digits = name.startsWith(`${set.metadata.name}-`) ? name.slice(set.metadata.name.length + 1) : '';
  return /^(0|[1-9]\d*)$/.test(digits) ? Number(digits) : -1;
}

export const firstOrdinal = (set: StatefulSet): number => set.spec.ordinals?.start ?? 0;
export const nameOf = (set: StatefulSet, ordinal: number): string => `${set.metadata.name}-${ordinal}`;

/** Makes the claims that are missing, then the pod from the template of the revision. */
export async function createOrdinal(set: StatefulSet, ordinal: number, revision: ControllerRevision, tools: Tools) {
  const { client, events } = tools;
  const name = nameOf(set, ordinal);
  try {
    await createMissingClaims(set, { name, isSurplus: false }, tools);
    await client.create('pods', podOf(set, ordinal, revision));
    const message = `create Pod ${name} in StatefulSet ${set.metadata.name} successful`;
    events.event(set, 'Normal', 'SuccessfulCreate', message);
  } catch (error) {
    if (isAlreadyExists(error)) throw error;
    const message = `create Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${(error as Error).message}`;
    events.event(set, 'Warning', 'FailedCreate', message);
    throw error;
  }
}

/** The data of a StatefulSet's revision: a patch with its template. */
interface RevisionData extends Fields {
  readonly spec: { readonly template: StatefulSet['spec']['template'] & { readonly $patch: string } };
}

function podOf(set: StatefulSet, ordinal: number, revision: ControllerRevision): NewPod {
  const name = nameOf(set, ordinal);
  const { $patch: _, ...template } = (revision.data as RevisionData).spec.template;
  const pod = structuredClone(podFromTemplate(template));
  pod.metadata = {
    ...pod.metadata,
    name,
    namespace: set.metadata.namespace,
    labels: {
      ...pod.metadata.labels,
      [podNameLabel]: name,
      [podIndexLabel]: String(ordinal),
      [revisionHashLabel]: hashLabelOf(revision),
    },
    ownerReferences: [controllerReference(set, 'statefulsets')],
  };
  pod.spec.hostname = name;
  pod.spec.subdomain = set.spec.serviceName;
  const claims = (set.spec.volumeClaimTemplates ?? []).map((claim) => ({
    name: claim.metadata.name,
    persistentVolumeClaim: { claimName: claimNameOf(claim, name) },
  }));
  const others = (pod.spec.volumes ?? []).filter((volume) => claims.every((claim) => claim.name !== volume.name));
  if (claims.length + others.length > 0) pod.spec.volumes = [...claims, ...others];
  return pod;
}

/** StatefulSets put the whole name of the revision on their pods, DaemonSets its hash alone. */
const hashLabelOf = (revision: ControllerRevision): string => revision.metadata.name;
export const isOfRevision = (pod: Pod, revision: ControllerRevision): boolean =>
  [hashLabelOf(revision), hashOf(revision)].includes(pod.metadata.labels?.[revisionHashLabel] ?? '');

export async function deleteOrdinal(set: StatefulSet, pod: Pod, { client, events }: Tools): Promise<void> {
  const { name, namespace } = pod.metadata;
  const text = `delete Pod ${name} in StatefulSet ${set.metadata.name}`;
  try {
    await client.delete('pods', { name, namespace });
    events.event(set, 'Normal', 'SuccessfulDelete', `${text} successful`);
  } catch (error) {
    if (isNotFound(error)) return;
    events.event(set, 'Warning', 'FailedDelete', `${text} failed error: ${(error as Error).message}`);
    throw error;
  }
}

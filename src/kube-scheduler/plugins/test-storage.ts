// Storage objects for tests of the volume plugins, from a few arguments.

import type { CSINode, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '../../api/api.ts';
import { noStorage, type Storage } from '../storage.ts';
import { pod } from '../test-objects.ts';

export const completed = { 'pv.kubernetes.io/bind-completed': 'yes' };

export const claim = (name: string, spec: object = {}, { status, ...metadata }: any = {}): PersistentVolumeClaim =>
  ({
    metadata: { name, namespace: 'default', uid: `uid-${name}`, resourceVersion: '1', ...metadata },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
    status,
  }) as PersistentVolumeClaim;

export const boundClaim = (name: string, volumeName: string, spec: object = {}): PersistentVolumeClaim =>
  claim(name, { volumeName, ...spec }, { annotations: completed });

export const volume = (name: string, spec: object = {}, labels: Record<string, string> = {}): PersistentVolume =>
  ({
    metadata: { name, labels, resourceVersion: '1' },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], ...spec },
    status: { phase: 'Available' },
  }) as unknown as PersistentVolume;

export const storageClass = (name: string, fields: object = {}): StorageClass =>
  ({
    metadata: { name },
    provisioner: 'example.com/disk',
    volumeBindingMode: 'WaitForFirstConsumer',
    ...fields,
  }) as StorageClass;

export const csiNode = (name: string, driver: string, count?: number): CSINode =>
  ({
    metadata: { name },
    spec: { drivers: [{ name: driver, nodeID: name, ...(count !== undefined && { allocatable: { count } }) }] },
  }) as CSINode;

/** Usable from this node only. */
export const onNode = (name: string) => ({
  nodeAffinity: {
    required: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [name] }] }],
    },
  },
});

export const using = (...claims: string[]): Pod =>
  pod({}, { volumes: claims.map((claimName, i) => ({ name: `v${i}`, persistentVolumeClaim: { claimName } })) });

export interface StorageObjects extends Partial<Omit<Storage, 'class' | 'claim' | 'volume' | 'csiNode'>> {
  readonly claims?: readonly PersistentVolumeClaim[];
  readonly volumes?: readonly PersistentVolume[];
  readonly classes?: readonly StorageClass[];
  readonly csiNodes?: readonly CSINode[];
}

const named = <T extends { metadata: { name: string } }>(list: readonly T[], name: string): T | undefined =>
  list.find(({ metadata }) => metadata.name === name);

export function storageOf({
  claims = [],
  volumes = [],
  classes = [],
  csiNodes = [],
  ...others
}: StorageObjects): Storage {
  return {
    ...noStorage,
    claim: (_, name) => named(claims, name),
    volume: (name) => named(volumes, name),
    volumesOfClass: (name) => volumes.filter(({ spec }) => (spec?.storageClassName ?? '') === name),
    class: (name) => named(classes, name),
    csiNode: (name) => named(csiNodes, name),
    ...others,
  };
}

// Objects that pods, and the volumes of their claims, refer to by name.

import type { PersistentVolume, Pod } from '../generated/types.ts';

const allContainers = ({ spec }: Pod) => [
  ...(spec.containers ?? []),
  ...(spec.initContainers ?? []),
  ...(spec.ephemeralContainers ?? []),
];

/** Names of secrets; '' is left out. */
export function* secretsOf(pod: Pod): Generator<string> {
  for (const { name } of pod.spec.imagePullSecrets ?? []) if (name) yield name;
  for (const { env, envFrom } of allContainers(pod)) {
    for (const { valueFrom } of env ?? []) if (valueFrom?.secretKeyRef?.name) yield valueFrom.secretKeyRef.name;
    for (const { secretRef } of envFrom ?? []) if (secretRef?.name) yield secretRef.name;
  }
  for (const v of pod.spec.volumes ?? []) {
    const references = [v.cephfs, v.cinder, v.flexVolume, v.rbd, v.scaleIO, v.iscsi, v.storageos];
    const names = [
      v.azureFile?.secretName,
      v.secret?.secretName,
      v.csi?.nodePublishSecretRef?.name,
      ...references.map((volume) => volume?.secretRef?.name),
      ...(v.projected?.sources ?? []).map((source) => source.secret?.name),
    ];
    for (const name of names) if (name) yield name;
  }
}

export function* configMapsOf(pod: Pod): Generator<string> {
  for (const { env, envFrom } of allContainers(pod)) {
    for (const { valueFrom } of env ?? []) if (valueFrom?.configMapKeyRef?.name) yield valueFrom.configMapKeyRef.name;
    for (const { configMapRef } of envFrom ?? []) if (configMapRef?.name) yield configMapRef.name;
  }
  for (const { configMap, projected } of pod.spec.volumes ?? []) {
    if (configMap?.name) yield configMap.name;
    for (const source of projected?.sources ?? []) if (source.configMap?.name) yield source.configMap.name;
  }
}

/** Names of persistent volume claims; an ephemeral volume's claim has the pod's name as a prefix. */
export function* claimsOf({ metadata, spec }: Pod): Generator<string> {
  for (const { name, persistentVolumeClaim, ephemeral } of spec.volumes ?? []) {
    if (persistentVolumeClaim) yield persistentVolumeClaim.claimName;
    else if (ephemeral) yield `${metadata.name}-${name}`;
  }
}

/** Names of resource claims, including generated ones in the status. */
export function* resourceClaimsOf({ spec, status }: Pod): Generator<string> {
  for (const { name, resourceClaimName } of spec.resourceClaims ?? []) {
    const made = status?.resourceClaimStatuses?.find((entry) => entry.name === name)?.resourceClaimName;
    if (resourceClaimName ?? made) yield (resourceClaimName ?? made) as string;
  }
  const { resourceClaimName } = status?.extendedResourceClaimStatus ?? {};
  if (resourceClaimName) yield resourceClaimName;
}

/** "namespace/name" of the secrets that the kubelet needs for the volume. */
export function* secretsOfVolume({ spec }: PersistentVolume): Generator<string> {
  const home = spec.claimRef?.namespace ?? '';
  const { azureFile, csi, cinder, storageos } = spec;
  if (azureFile?.secretName) yield `${azureFile.secretNamespace || home}/${azureFile.secretName}`;
  // References without a namespace are from before there was one, and mean the claim's.
  for (const volume of [spec.cephfs, spec.flexVolume, spec.rbd, spec.scaleIO, spec.iscsi])
    if (volume?.secretRef?.name) yield `${volume.secretRef.namespace || home}/${volume.secretRef.name}`;
  const exact = [
    cinder?.secretRef,
    storageos?.secretRef,
    csi?.nodePublishSecretRef,
    csi?.nodeStageSecretRef,
    csi?.nodeExpandSecretRef,
  ];
  for (const reference of exact) if (reference?.name) yield `${reference.namespace ?? ''}/${reference.name}`;
}

/** Volumes without an API object. */
const freeVolumes = [
  'awsElasticBlockStore',
  'azureDisk',
  'cephfs',
  'cinder',
  'downwardAPI',
  'emptyDir',
  'fc',
  'flexVolume',
  'flocker',
  'gcePersistentDisk',
  'gitRepo',
  'hostPath',
  'image',
  'iscsi',
  'nfs',
  'photonPersistentDisk',
  'portworxVolume',
  'quobyte',
  'rbd',
  'scaleIO',
  'storageos',
  'vsphereVolume',
];

const boundVolumes: Readonly<Record<string, string>> = {
  configMap: 'configmaps (via configmap volumes)',
  secret: 'secrets (via secret volumes)',
  csi: 'csidrivers (via CSI volumes)',
  glusterfs: 'endpoints (via glusterFS volumes)',
  persistentVolumeClaim: 'persistentvolumeclaims',
  ephemeral: 'persistentvolumeclaims (via ephemeral volumes)',
  azureFile: 'secrets (via azureFile volumes)',
};

const projections: Readonly<Record<string, string>> = {
  configMap: 'configmaps (via projected volumes)',
  secret: 'secrets (via projected volumes)',
  serviceAccountToken: 'serviceaccounts (via projected volumes)',
  clusterTrustBundle: 'clustertrustbundles',
  podCertificate: 'podcertificates',
};

/** The resource that the pod refers to, as Kubernetes names it; static pods and mirror pods may refer to none. */
export function apiReferenceOf(pod: Pod, refuse: (why: string) => Error): string | undefined {
  const { spec } = pod;
  if (spec.serviceAccountName) return 'serviceaccounts';
  if (!secretsOf(pod).next().done) return 'secrets';
  if (!configMapsOf(pod).next().done) return 'configmaps';
  if (spec.resourceClaims?.length) return 'resourceclaims';
  for (const { name, ...sources } of spec.volumes ?? []) {
    const [source] = Object.entries(sources).find(([, value]) => value !== undefined && value !== null) ?? [];
    if (source && freeVolumes.includes(source)) continue;
    if (source && boundVolumes[source]) return boundVolumes[source];
    if (source !== 'projected') throw refuse(`unknown volume type for volume  ${JSON.stringify(name)}`);
    for (const projection of sources.projected?.sources ?? []) {
      const [part] = Object.entries(projection).find(([, value]) => value !== undefined && value !== null) ?? [];
      if (part === 'downwardAPI') continue;
      if (part && projections[part]) return projections[part];
      throw refuse(`unknown source for projected volume ${JSON.stringify(name)}`);
    }
  }
  return undefined;
}

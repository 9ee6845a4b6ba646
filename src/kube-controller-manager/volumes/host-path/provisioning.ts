// Decides where the volumes of the host-path provisioner are made, and which of them are deleted. Pure.

import {
  claimRequest,
  type Draft,
  hostPathProvisioner,
  isNodeReady,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
  volumeAnnotations,
  volumeDirectoryAnnotation,
} from '../../../api/api.ts';

/** Keeps a volume that is to be deleted in the API until its directory is gone. */
export const volumeFinalizer = 'external-provisioner.volume.kubernetes.io/finalizer';

const hostnameLabel = 'kubernetes.io/hostname';

export const volumeNameOf = ({ metadata }: PersistentVolumeClaim): string => `pvc-${metadata.uid}`;

type ProvisionDecision =
  | { readonly do: 'provision'; readonly node: Node }
  /** The scheduler must choose another node. */
  | { readonly do: 'reschedule'; readonly why: string }
  | { readonly do: 'refuse'; readonly why: string }
  /** The pod has no node yet. */
  | { readonly do: 'wait' };

export function decideProvision(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass,
  nodes: readonly Node[],
  volumes: readonly PersistentVolume[],
): ProvisionDecision {
  const refused = refusalOf(claim, storageClass);
  if (refused) return { do: 'refuse', why: refused };
  const selected = claim.metadata.annotations?.[volumeAnnotations.selectedNode];
  if (selected === undefined) {
    if (storageClass.volumeBindingMode === 'WaitForFirstConsumer') return { do: 'wait' };
    const node = freestNode(storageClass, nodes, volumes);
    return node
      ? { do: 'provision', node }
      : { do: 'refuse', why: 'no node that is Ready has a directory for volumes' };
  }
  const node = nodes.find(({ metadata }) => metadata.name === selected);
  if (!node) return { do: 'reschedule', why: `node "${selected}" not found` };
  const fault = faultOf(node);
  return fault ? { do: 'reschedule', why: `node "${selected}" ${fault}` } : { do: 'provision', node };
}

const supportedModes: readonly string[] = ['ReadWriteOnce', 'ReadWriteOncePod'];

/** A volume is a directory of one node; requests for more are refused by name. */
function refusalOf({ spec }: PersistentVolumeClaim, { parameters, mountOptions }: StorageClass): string | undefined {
  const mode = spec.accessModes?.find((one) => !supportedModes.includes(one));
  if (mode) return `access mode ${mode} is not supported: a directory of one node has ${supportedModes.join(' and ')}`;
  if (spec.volumeMode === 'Block') return 'volume mode Block is not supported';
  if (spec.dataSourceRef ?? spec.dataSource) return 'a data source is not supported';
  if (spec.selector) return 'claim Selector is not supported';
  if (spec.volumeAttributesClassName) return 'volume attributes classes are not supported';
  if (mountOptions?.length) return `mount options are not supported: ${mountOptions.join(', ')}`;
  const [parameter] = Object.keys(parameters ?? {});
  return parameter === undefined ? undefined : `unknown parameter "${parameter}" in the storage class`;
}

const directoryOf = ({ metadata }: Node): string | undefined => metadata.annotations?.[volumeDirectoryAnnotation];

function faultOf(node: Node): string | undefined {
  if (!directoryOf(node)) return `has no directory for volumes (annotation ${volumeDirectoryAnnotation})`;
  return node.metadata.labels?.[hostnameLabel] ? undefined : `has no label ${hostnameLabel}`;
}

/** Without a pod to follow: the usable node with the fewest of these volumes, by name among equal ones. */
function freestNode(
  { allowedTopologies = [] }: StorageClass,
  nodes: readonly Node[],
  volumes: readonly PersistentVolume[],
): Node | undefined {
  const isAllowed = ({ metadata }: Node) =>
    allowedTopologies.length === 0 ||
    allowedTopologies.some(({ matchLabelExpressions = [] }) =>
      matchLabelExpressions.every(({ key, values }) => values.includes(metadata.labels?.[key] ?? '')),
    );
  const isUsable = (node: Node) => !faultOf(node) && !node.spec?.unschedulable && isNodeReady(node) && isAllowed(node);
  const load = Map.groupBy(volumes.filter(isOurs), hostnameOf);
  const count = ({ metadata }: Node) => load.get(metadata.labels?.[hostnameLabel])?.length ?? 0;
  return nodes.filter(isUsable).sort((a, b) => count(a) - count(b) || (a.metadata.name < b.metadata.name ? -1 : 1))[0];
}

export const isOurs = ({ metadata }: PersistentVolume): boolean =>
  metadata.annotations?.[volumeAnnotations.provisionedBy] === hostPathProvisioner;

/** The value of the node's label that the volume requires. */
const hostnameOf = ({ spec }: PersistentVolume): string | undefined =>
  spec?.nodeAffinity?.required?.nodeSelectorTerms[0]?.matchExpressions?.[0]?.values?.[0];

/** The node that has the volume's directory. */
export const nodeOfVolume = (volume: PersistentVolume, nodes: readonly Node[]): Node | undefined =>
  nodes.find(({ metadata }) => metadata.labels?.[hostnameLabel] === hostnameOf(volume));

/** The kubelet makes the directory when a pod first mounts the volume, so nothing is left when that never happens. */
export function volumeFor(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass,
  node: Node,
): Draft<PersistentVolume> {
  const name = volumeNameOf(claim);
  const { namespace, name: claimName, uid, resourceVersion } = claim.metadata;
  const hostname = node.metadata.labels?.[hostnameLabel] as string;
  const expression = { key: hostnameLabel, operator: 'In' as const, values: [hostname] };
  const policy = storageClass.reclaimPolicy ?? 'Delete';
  return {
    metadata: {
      name,
      annotations: { [volumeAnnotations.provisionedBy]: hostPathProvisioner },
      ...(policy === 'Delete' && { finalizers: [volumeFinalizer] }),
    },
    spec: {
      capacity: { storage: claimRequest(claim) },
      accessModes: claim.spec.accessModes ?? [],
      persistentVolumeReclaimPolicy: policy,
      storageClassName: storageClass.metadata.name,
      volumeMode: 'Filesystem',
      claimRef: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        namespace: namespace as string,
        name: claimName,
        uid: uid as string,
        resourceVersion: resourceVersion as string,
      },
      hostPath: { path: `${directoryOf(node)}/${name}`, type: 'DirectoryOrCreate' },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [expression] }] } },
    },
  };
}

type DeleteDecision = 'delete' | 'keep-directory' | 'nothing';

/** `keep-directory`: the volume is deleted by hand and its policy keeps the data. */
export function decideDelete(volume: PersistentVolume): DeleteDecision {
  const { metadata, spec, status } = volume;
  if (!isOurs(volume)) return 'nothing';
  const isProtected = metadata.finalizers?.includes(volumeFinalizer) ?? false;
  const isDeleted = metadata.deletionTimestamp !== undefined;
  if (spec?.persistentVolumeReclaimPolicy !== 'Delete') return isProtected ? 'keep-directory' : 'nothing';
  if (isDeleted) return isProtected && status?.phase !== 'Bound' ? 'delete' : 'nothing';
  return status?.phase === 'Released' || status?.phase === 'Failed' ? 'delete' : 'nothing';
}

// Makes and deletes the volumes of the default StorageClass: directories of nodes. The volume objects are made here,
// the directories by the kubelets.
// https://kubernetes.io/docs/concepts/storage/dynamic-provisioning/

import {
  claimRequest,
  hostPathProvisioner,
  hostPathVolumesPath,
  ignoreNotFound,
  isAlreadyExists,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
  simulatedVolumeDirectory,
  storageClassOf,
  volumeAnnotations,
  volumeDirectoryAnnotation,
} from '../../../api/api.ts';
import { type Controller, keyOf, own, type Tools, type Watch } from '../../../client/client.ts';
import { mustGrow } from '../persistentvolume-expander.ts';
import {
  decideDelete,
  decideProvision,
  isOurs,
  nodeOfVolume,
  volumeFinalizer,
  volumeFor,
  volumeNameOf,
} from './provisioning.ts';

/** The refusal of a claim is reported again after this long, as the volume binder does. */
const resyncMs = 60_000;

/** The role of its service account, beside the controller manager's rights to read. */
export const hostPathProvisionerRules = [
  { apiGroups: [''], resources: ['persistentvolumes'], verbs: ['create', 'delete', 'update'] },
  { apiGroups: [''], resources: ['persistentvolumeclaims', 'persistentvolumeclaims/status'], verbs: ['update'] },
  { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch', 'update'] },
  // Deletes directories through the kubelet's API, whose only such path that is.
  { apiGroups: [''], resources: ['nodes/proxy'], verbs: ['delete'] },
];

/** A node that comes back may have directories to delete, or serve claims that wait. */
const volumesOfNodes: Watch = {
  resource: 'nodes',
  matters: () => false,
  keys: (_: Node, { lister }) => lister('persistentvolumes').list().filter(isOurs).map(keyOf),
};

/** Keys of claims have a namespace, keys of volumes have none. */
export const hostPathVolumes: Controller = {
  name: 'host-path-provisioner',
  component: hostPathProvisioner,
  watches: [own('persistentvolumeclaims'), own('persistentvolumes'), volumesOfNodes],
  reads: ['storageclasses'],
  async reconcile(key, tools) {
    const { lister } = tools;
    if (!key.includes('/')) {
      const volume = lister('persistentvolumes').get(key);
      return volume && syncVolume(volume, tools);
    }
    const claim = lister('persistentvolumeclaims').get(key);
    const storageClass = claim && lister('storageclasses').get(storageClassOf(claim));
    if (!storageClass || claim.metadata.deletionTimestamp) return;
    if (claim.spec.volumeName) return grow(claim, storageClass, tools);
    const asked = claim.metadata.annotations?.[volumeAnnotations.storageProvisioner];
    if (asked === hostPathProvisioner && storageClass.provisioner === hostPathProvisioner)
      return provision(claim, storageClass, tools);
  },
};

async function provision(claim: PersistentVolumeClaim, storageClass: StorageClass, tools: Tools) {
  const { lister, events, client } = tools;
  const volumes = lister('persistentvolumes');
  const name = volumeNameOf(claim);
  if (volumes.get(name)) return;
  const decision = decideProvision(claim, storageClass, lister('nodes').list(), volumes.list());
  if (decision.do === 'wait') return;
  if (decision.do === 'provision') {
    const message = `External provisioner is provisioning volume for claim "${keyOf(claim)}"`;
    events.event(claim, 'Normal', 'Provisioning', message);
    await client.create('persistentvolumes', volumeFor(claim, storageClass, decision.node)).catch((error) => {
      if (!isAlreadyExists(error)) throw error;
    });
    return events.event(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${name}`);
  }
  const message = `failed to provision volume with StorageClass "${storageClass.metadata.name}": ${decision.why}`;
  events.event(claim, 'Warning', 'ProvisioningFailed', message);
  if (decision.do === 'refuse') return { after: resyncMs };
  const { [volumeAnnotations.selectedNode]: _, ...annotations } = claim.metadata.annotations ?? {};
  await client.update('persistentvolumeclaims', { ...claim, metadata: { ...claim.metadata, annotations } });
}

/** A directory has no size: only the record grows. */
async function grow(claim: PersistentVolumeClaim, storageClass: StorageClass, { lister, events, client }: Tools) {
  const volume = lister('persistentvolumes').get(claim.spec.volumeName ?? '');
  if (!volume || !isOurs(volume) || volume.spec?.claimRef?.uid !== claim.metadata.uid) return;
  if (!storageClass.allowVolumeExpansion || !mustGrow(claim)) return;
  const { name } = volume.metadata;
  events.event(claim, 'Normal', 'Resizing', `External resizer is resizing volume ${name}`);
  const capacity = { ...volume.spec.capacity, storage: claimRequest(claim) };
  await client.update('persistentvolumes', { ...volume, spec: { ...volume.spec, capacity } });
  const { conditions = [], ...others } = claim.status ?? {};
  const left = conditions.filter(({ type }) => type !== 'Resizing' && type !== 'FileSystemResizePending');
  const status = { ...others, capacity, ...(left.length > 0 && { conditions: left }) };
  await client.update('persistentvolumeclaims', { ...claim, status }, { subresource: 'status' });
  events.event(claim, 'Normal', 'VolumeResizeSuccessful', 'Resize volume succeeded');
}

async function syncVolume(volume: PersistentVolume, tools: Tools): Promise<void> {
  const decision = decideDelete(volume);
  if (decision === 'nothing') return;
  if (decision === 'delete')
    await deleteDirectory(volume, tools).catch((error: Error) => {
      tools.events.event(volume, 'Warning', 'VolumeFailedDelete', error.message);
      throw error;
    });
  const { client } = tools;
  const { name, uid, finalizers = [] } = volume.metadata;
  const left = finalizers.filter((finalizer) => finalizer !== volumeFinalizer);
  if (left.length < finalizers.length)
    await client
      .update('persistentvolumes', { ...volume, metadata: { ...volume.metadata, finalizers: left } })
      .catch(ignoreNotFound);
  if (decision === 'delete' && !volume.metadata.deletionTimestamp)
    await client.delete('persistentvolumes', { name }, { preconditions: { uid } }).catch(ignoreNotFound);
}

/** The kubelet answers once no crash can bring the directory back. */
async function deleteDirectory(volume: PersistentVolume, { lister, client }: Tools): Promise<void> {
  const node = nodeOfVolume(volume, lister('nodes').list());
  if (!node) {
    // The administrator who deletes the volume gives up its directory.
    if (volume.metadata.deletionTimestamp) return;
    throw new Error(`the node of the volume is not there: its directory stays until the node is back`);
  }
  // A simulated node has no directory, and may have no server.
  if (node.metadata.annotations?.[volumeDirectoryAnnotation] === simulatedVolumeDirectory) return;
  const path = `/api/v1/nodes/${node.metadata.name}/proxy/${hostPathVolumesPath}/${volume.metadata.name}`;
  await client.raw('DELETE', path);
}

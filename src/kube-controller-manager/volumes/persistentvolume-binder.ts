// Binds claims and volumes to each other, and releases volumes whose claims are gone.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#lifecycle-of-a-volume-and-claim

import {
  claimKeysOfPod,
  claimRefKey,
  ignoreNotFound,
  isPodTerminal,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  reserveFor,
  storageClassOf,
  volumeAnnotations,
} from '../../api/api.ts';
import { type Controller, keyOf, own, type Tools, type Watch } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { must } from '../../machinery/must.ts';
import { type ClaimDecision, decideClaim, decideVolume, type Note, reclaimFault } from './binding.ts';
import { FreeVolumes, isFree } from './free-volumes.ts';

/** Retry interval of pending claims, whose event is then repeated. */
const resyncMs = 15_000;

export const podsByClaim = 'claim';
const claimsByClass = 'waiting for class';
const claimsByVolume = 'names volume';
const volumesByClaim = 'reserved for claim';

const { bindCompleted, boundByController, storageProvisioner, betaStorageProvisioner } = volumeAnnotations;

const isWaiting = ({ metadata, spec }: PersistentVolumeClaim): boolean =>
  metadata.annotations?.[bindCompleted] === undefined && !spec.volumeName;

/** Claims that a free volume wakes, which can serve one: others have their turn at the next resync. */
const wokenByVolume = 64;

/** Claims that a volume may serve, or that name it. */
const claimsOfVolumes: Watch = {
  resource: 'persistentvolumes',
  keys(volume: PersistentVolume, { lister }) {
    const claims = lister('persistentvolumeclaims');
    const { claimRef } = volume.spec ?? {};
    const waiting = isFree(volume) ? claims.by(claimsByClass, storageClassOf(volume)).slice(0, wokenByVolume) : [];
    const naming = claims.by(claimsByVolume, volume.metadata.name);
    return [...waiting, ...naming].map(keyOf).concat(claimRef ? [claimRefKey(claimRef)] : []);
  },
};

const volumesOfClaims: Watch = {
  resource: 'persistentvolumeclaims',
  keys: (claim: PersistentVolumeClaim, { lister }) => [
    ...(claim.spec.volumeName ? [claim.spec.volumeName] : []),
    ...lister('persistentvolumes').by(volumesByClaim, keyOf(claim)).map(keyOf),
  ],
};

/** A class that is new, or is now the default, may serve any claim that waits. */
const claimsOfClasses: Watch = {
  resource: 'storageclasses',
  keys: (_, { lister }) => lister('persistentvolumeclaims').list().filter(isWaiting).map(keyOf),
};

const indexes: Controller['indexes'] = [
  { resource: 'pods', name: podsByClaim, valuesOf: claimKeysOfPod },
  {
    resource: 'persistentvolumeclaims',
    name: claimsByClass,
    valuesOf: (claim: PersistentVolumeClaim) => (isWaiting(claim) ? [storageClassOf(claim)] : []),
  },
  {
    resource: 'persistentvolumeclaims',
    name: claimsByVolume,
    valuesOf: ({ spec }: PersistentVolumeClaim) => (spec.volumeName ? [spec.volumeName] : []),
  },
  {
    resource: 'persistentvolumes',
    name: volumesByClaim,
    valuesOf: ({ spec }: PersistentVolume) => (spec?.claimRef ? [claimRefKey(spec.claimRef)] : []),
  },
];

/** Keys of claims have a namespace, keys of volumes have none. */
export function persistentVolumeBinder(): Controller {
  /** Free volumes that a claim is being bound to: other claims choose among the rest. */
  const chosen = new Set<string>();
  const free = new FreeVolumes();
  return {
    name: 'persistentvolume-binder',
    component: 'persistentvolume-controller',
    watches: [
      ...[own('persistentvolumeclaims'), own('persistentvolumes')],
      ...[claimsOfVolumes, volumesOfClaims, claimsOfClasses],
    ],
    reads: ['pods'],
    indexes,
    // A binding is several writes that are flushed one after the other.
    workers: 20,
    start: (_, __, informers) => informers.for('persistentvolumes').handle((next, old) => free.note(next, old)),
    async reconcile(key, tools) {
      if (!key.includes('/')) return syncVolume(key, tools);
      const claim = tools.lister('persistentvolumeclaims').get(key);
      if (!claim) return;
      const decision = decideClaim(claim, {
        volumes: candidatesOf(claim, (request) => free.best(request, (name) => chosen.has(name)), tools),
        classes: tools.lister('storageclasses').list(),
        waitingPods: waitingPodsOf(key, tools),
      });
      if (decision.do !== 'bind' || decision.volume.spec?.claimRef) return carryOut(claim, decision, tools);
      const { name } = decision.volume.metadata;
      chosen.add(name);
      return carryOut(claim, decision, tools).finally(() => chosen.delete(name));
    },
  };
}

/** The volumes that can matter to the claim: the one that it names, those reserved for it, and the best free one. */
function candidatesOf(
  claim: PersistentVolumeClaim,
  bestFree: (claim: PersistentVolumeClaim) => PersistentVolume | undefined,
  { lister }: Tools,
): PersistentVolume[] {
  const volumes = lister('persistentvolumes');
  const { volumeName } = claim.spec;
  if (volumeName) {
    const volume = volumes.get(volumeName);
    return volume ? [volume] : [];
  }
  const reserved = volumes.by(volumesByClaim, keyOf(claim));
  const free = isWaiting(claim) ? bestFree(claim) : undefined;
  return free ? [...reserved, free] : [...reserved];
}

const waitingPodsOf = (key: string, { lister }: Tools): string[] =>
  lister('pods')
    .by(podsByClaim, key)
    .filter((pod: Pod) => !pod.spec.nodeName && !isPodTerminal(pod))
    .map(({ metadata }) => metadata.name);

async function carryOut(claim: PersistentVolumeClaim, decision: ClaimDecision, tools: Tools) {
  const note = ({ type, reason, message }: Note) => tools.events.event(claim, type, reason, message);
  switch (decision.do) {
    case 'bind':
      return bind(claim, decision.volume, tools);
    case 'name-class':
      return void (await update(tools, { ...claim, spec: { ...claim.spec, storageClassName: decision.storageClass } }));
    case 'lose':
      if (claim.status?.phase === 'Lost') return;
      await setClaimStatus(claim, 'Lost', undefined, tools);
      return note(decision.note);
    case 'ask-provisioner':
      await askProvisioner(claim, decision.provisioner, tools);
      return { after: resyncMs };
    case 'wait':
      if (decision.note) note(decision.note);
      if (decision.isWrong) throw new Error(`claim ${keyOf(claim)}: ${decision.note?.message}`);
      await setClaimStatus(claim, 'Pending', undefined, tools);
      return { after: resyncMs };
  }
}

const update = ({ client }: Tools, claim: PersistentVolumeClaim) => client.update('persistentvolumeclaims', claim);

async function askProvisioner(claim: PersistentVolumeClaim, provisioner: string, tools: Tools): Promise<void> {
  const { metadata } = claim;
  if (metadata.annotations?.[storageProvisioner] !== provisioner) {
    const asked = { [betaStorageProvisioner]: provisioner, [storageProvisioner]: provisioner };
    await update(tools, { ...claim, metadata: { ...metadata, annotations: { ...metadata.annotations, ...asked } } });
  }
  const message =
    `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system ` +
    'administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.';
  tools.events.event(claim, 'Normal', 'ExternalProvisioning', message);
}

/** Four writes; after each, the next attempt can complete the binding. */
async function bind(claim: PersistentVolumeClaim, volume: PersistentVolume, tools: Tools): Promise<void> {
  const { client } = tools;
  const reserved = reserveFor(volume, claim);
  const bound = reserved === volume ? volume : await client.update('persistentvolumes', reserved);
  await setPhase(bound, 'Bound', tools);
  const annotations = { ...claim.metadata.annotations };
  const { name } = volume.metadata;
  if (claim.spec.volumeName !== name) annotations[boundByController] ??= 'yes';
  annotations[bindCompleted] ??= 'yes';
  const isComplete = claim.spec.volumeName === name && deepEqual(annotations, claim.metadata.annotations);
  const written = isComplete
    ? claim
    : await update(tools, {
        ...claim,
        metadata: { ...claim.metadata, annotations },
        spec: { ...claim.spec, volumeName: name },
      });
  await setClaimStatus(written, 'Bound', bound, tools);
}

type ClaimPhase = NonNullable<NonNullable<PersistentVolumeClaim['status']>['phase']>;

async function setClaimStatus(
  claim: PersistentVolumeClaim,
  phase: ClaimPhase,
  volume: PersistentVolume | undefined,
  { client }: Tools,
): Promise<void> {
  const { accessModes: _, capacity, currentVolumeAttributesClassName, ...others } = claim.status ?? {};
  const isNew = claim.status?.phase !== phase;
  const attributesClass =
    isNew && phase === 'Bound' ? volume?.spec?.volumeAttributesClassName : currentVolumeAttributesClassName;
  // The capacity of a bound claim is the expander's to change.
  const size = isNew ? volume?.spec?.capacity : capacity;
  const status = {
    ...others,
    phase,
    ...(volume && {
      ...(volume.spec?.accessModes && { accessModes: volume.spec.accessModes }),
      ...(size && { capacity: size }),
      ...(attributesClass !== undefined && { currentVolumeAttributesClassName: attributesClass }),
    }),
  };
  if (deepEqual(status, claim.status)) return;
  await client.update('persistentvolumeclaims', { ...claim, status }, { subresource: 'status' });
}

type VolumePhase = NonNullable<NonNullable<PersistentVolume['status']>['phase']>;

async function setPhase(
  volume: PersistentVolume,
  phase: VolumePhase,
  { client }: Tools,
  message?: string,
): Promise<PersistentVolume> {
  if (volume.status?.phase === phase) return volume;
  const { message: _, lastPhaseTransitionTime: __, ...others } = volume.status ?? {};
  const status = { ...others, phase, ...(message && { message }) };
  return client.update('persistentvolumes', { ...volume, status }, { subresource: 'status' });
}

async function syncVolume(name: string, tools: Tools): Promise<void> {
  const volume = tools.lister('persistentvolumes').get(name);
  if (!volume) return;
  const claim = await claimOf(volume, tools);
  const decision = decideVolume(volume, claim);
  switch (decision.do) {
    case 'set-phase':
      return void (await setPhase(volume, decision.phase, tools));
    case 'wait-for-claim':
      for (const [object, note] of [
        [volume, decision.onVolume] as const,
        [must(claim, 'claim'), decision.onClaim] as const,
      ])
        if (note) tools.events.event(object, note.type, note.reason, note.message);
      return;
    case 'unbind':
      return unbind(volume, tools);
    case 'reclaim':
      return reclaim(volume, tools);
  }
}

/** A volume is not released for a cache that is late: the API decides. */
async function claimOf({ spec, status }: PersistentVolume, { lister, client }: Tools) {
  if (!spec?.claimRef?.uid) return undefined;
  const { namespace = '', name = '', uid } = spec.claimRef;
  const cached = lister('persistentvolumeclaims').get(`${namespace}/${name}`);
  if (cached?.metadata.uid === uid || (!cached && ['Released', 'Failed'].includes(status?.phase ?? ''))) return cached;
  return client.get('persistentvolumeclaims', { namespace, name }).catch(ignoreNotFound);
}

/** A reservation by the controller goes; one by the user stays, for a new claim of that name. */
async function unbind(volume: PersistentVolume, tools: Tools): Promise<void> {
  const { [boundByController]: byController, ...annotations } = volume.metadata.annotations ?? {};
  const { claimRef, ...spec } = volume.spec ?? {};
  const { uid: _, ...reservation } = must(claimRef, 'claimRef');
  const freed =
    byController === undefined
      ? { ...volume, spec: { ...spec, claimRef: reservation } }
      : { ...volume, metadata: { ...volume.metadata, annotations }, spec };
  await setPhase(await tools.client.update('persistentvolumes', freed), 'Available', tools);
}

async function reclaim(volume: PersistentVolume, tools: Tools): Promise<void> {
  const isReleased = ['Released', 'Failed'].includes(volume.status?.phase ?? '');
  const released = isReleased ? volume : await setPhase(volume, 'Released', tools);
  const fault = reclaimFault(released);
  if (!fault || released.status?.phase === 'Failed') return;
  await setPhase(released, 'Failed', tools, fault.message);
  tools.events.event(released, fault.type, fault.reason, fault.message);
}

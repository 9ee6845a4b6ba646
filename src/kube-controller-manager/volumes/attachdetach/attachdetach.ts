// Attaches CSI volumes to the nodes of their pods, and detaches them: makes VolumeAttachments, which the drivers'
// attachers carry out, and reports attached volumes in node.status.
// https://kubernetes.io/docs/concepts/storage/volumes/#csi

import { createHash } from 'node:crypto';
import {
  attaches,
  claimKeysOfPod,
  claimRefKey,
  conditionOf,
  controllerAttachesAnnotation,
  csiAttachmentText,
  csiVolumeName,
  ignoreNotFound,
  isAlreadyExists,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type VolumeAttachment,
} from '../../../api/api.ts';
import { type Controller, keyOf, type Tools, type Watch } from '../../../client/client.ts';
import { deepEqual } from '../../../machinery/collections/equal.ts';
import { podsByClaim } from '../persistentvolume-binder.ts';
import {
  decidePlaces,
  isInUse,
  longestUnmountMs,
  multiAttachMessage,
  type Place,
  type PlaceDecision,
  usesVolumes,
} from './attachment-state.ts';
import { Attempts } from './attempts.ts';

const volumesByName = 'unique name';
const volumesByDriver = 'CSI driver';
const attachmentsByVolume = 'volume';
const attachmentsByNode = 'node';

/** Keys are `node NAME` and `volume UNIQUE-NAME`. */
const nodeKey = (name: string) => `node ${name}`;
const volumeKey = (uniqueName: string) => `volume ${uniqueName}`;

const uniqueNameOf = ({ spec }: PersistentVolume): string | undefined => spec?.csi && csiVolumeName(spec.csi);

/** Undefined for a volume without a CSI driver. */
function attachmentName({ spec }: PersistentVolume, nodeName: string): string | undefined {
  if (!spec?.csi) return undefined;
  return `csi-${createHash('sha256').update(csiAttachmentText(spec.csi, nodeName)).digest('hex')}`;
}

const keysOf = (volume: PersistentVolume | undefined): string[] => {
  const name = volume && uniqueNameOf(volume);
  return name ? [volumeKey(name)] : [];
};

const ofClaim = (claim: PersistentVolumeClaim | undefined, { lister }: Tools): string[] =>
  claim?.spec.volumeName ? keysOf(lister('persistentvolumes').get(claim.spec.volumeName)) : [];

const ofAttachment = ({ spec }: VolumeAttachment, { lister }: Tools): string[] => [
  ...keysOf(lister('persistentvolumes').get(spec.source.persistentVolumeName ?? '')),
  nodeKey(spec.nodeName),
];

const watches: readonly Watch[] = [
  {
    resource: 'pods',
    matters: (next: Pod, old: Pod) =>
      usesVolumes(next) !== usesVolumes(old) || next.spec.nodeName !== old.spec.nodeName,
    keys: (pod: Pod, tools) =>
      claimKeysOfPod(pod).flatMap((key) => ofClaim(tools.lister('persistentvolumeclaims').get(key), tools)),
  },
  { resource: 'persistentvolumeclaims', keys: (claim: PersistentVolumeClaim, tools) => ofClaim(claim, tools) },
  { resource: 'persistentvolumes', keys: (volume: PersistentVolume) => keysOf(volume) },
  { resource: 'volumeattachments', keys: ofAttachment },
  {
    resource: 'csidrivers',
    keys: ({ metadata }, { lister }) =>
      lister('persistentvolumes')
        .by(volumesByDriver, metadata.name)
        .flatMap((volume) => keysOf(volume)),
  },
  {
    resource: 'nodes',
    matters: (next: Node, old: Node) => !deepEqual(factsOf(next), factsOf(old)),
    keys: ({ metadata, status }: Node, tools) => [
      nodeKey(metadata.name),
      ...(status?.volumesInUse ?? []).map(volumeKey),
      ...tools
        .lister('volumeattachments')
        .by(attachmentsByNode, metadata.name)
        .flatMap((each) => ofAttachment(each, tools)),
    ],
  },
];

/** The facts of a node that decide about its volumes. */
const factsOf = ({ metadata, spec, status }: Node) => ({
  isManaged: metadata.annotations?.[controllerAttachesAnnotation] !== undefined,
  taints: spec?.taints?.map(({ key }) => key),
  ready: conditionOf({ status }, 'Ready')?.status,
  ...{ inUse: status?.volumesInUse, attached: status?.volumesAttached },
});

const indexes: Controller['indexes'] = [
  { resource: 'pods', name: podsByClaim, valuesOf: claimKeysOfPod },
  {
    resource: 'persistentvolumes',
    name: volumesByName,
    valuesOf: (volume: PersistentVolume) => [uniqueNameOf(volume) ?? []].flat(),
  },
  {
    resource: 'persistentvolumes',
    name: volumesByDriver,
    valuesOf: ({ spec }: PersistentVolume) => (spec?.csi ? [spec.csi.driver] : []),
  },
  {
    resource: 'volumeattachments',
    name: attachmentsByVolume,
    valuesOf: ({ spec }: VolumeAttachment) => [spec.source.persistentVolumeName ?? []].flat(),
  },
  {
    resource: 'volumeattachments',
    name: attachmentsByNode,
    valuesOf: ({ spec }: VolumeAttachment) => [spec.nodeName],
  },
];

export const attachDetach = (): Controller => {
  const attempts = new Attempts();
  let enqueue: (key: string) => void = () => {};
  return {
    name: 'attachdetach',
    component: 'attachdetach-controller',
    watches,
    indexes,
    start(_tools, add) {
      enqueue = add;
    },
    async reconcile(key, tools) {
      const [kind, name] = [key.slice(0, key.indexOf(' ')), key.slice(key.indexOf(' ') + 1)];
      if (kind === 'node') return reportAttached(name, attempts, tools);
      return new VolumeReconcile(name, attempts, tools, enqueue).run();
    },
  };
};

/** Writes node.status.volumesAttached: the volumes that are attached, without those that are being detached. */
async function reportAttached(nodeName: string, attempts: Attempts, { lister, client }: Tools): Promise<void> {
  const node = lister('nodes').get(nodeName);
  if (node?.metadata.annotations?.[controllerAttachesAnnotation] === undefined) return;
  const names = lister('volumeattachments')
    .by(attachmentsByNode, nodeName)
    .flatMap(({ metadata, spec, status }) => {
      const volume = lister('persistentvolumes').get(spec.source.persistentVolumeName ?? '');
      const uniqueName = volume && uniqueNameOf(volume);
      const isOwn = volume && attachmentName(volume, nodeName) === metadata.name;
      const isAttached = status?.attached && !metadata.deletionTimestamp;
      return uniqueName && isOwn && isAttached && !attempts.isDetaching(uniqueName, nodeName) ? [uniqueName] : [];
    });
  const volumesAttached = [...new Set(names)].sort().map((name) => ({ name, devicePath: '' }));
  const current = node.status?.volumesAttached ?? [];
  if (
    deepEqual(
      volumesAttached,
      [...current].sort((a, b) => (a.name < b.name ? -1 : 1)),
    )
  )
    return;
  const status = { volumesAttached: volumesAttached.length > 0 ? volumesAttached : null };
  await client
    .patch('nodes', { name: nodeName }, { type: 'merge', body: { status } }, { subresource: 'status' })
    .catch(ignoreNotFound);
}

class VolumeReconcile {
  readonly #name: string;
  readonly #attempts: Attempts;
  readonly #tools: Tools;
  readonly #enqueue: (key: string) => void;

  constructor(name: string, attempts: Attempts, tools: Tools, enqueue: (key: string) => void) {
    this.#name = name;
    this.#attempts = attempts;
    this.#tools = tools;
    this.#enqueue = enqueue;
  }

  async run(): Promise<{ readonly after: number } | void> {
    const { lister, clock } = this.#tools;
    const volumes = lister('persistentvolumes').by(volumesByName, this.#name);
    const [volume] = volumes;
    const driver = volume?.spec?.csi?.driver;
    if (!volume || !driver || !attaches(lister('csidrivers').get(driver))) return;
    const places = this.#places(volumes);
    const delays: number[] = [];
    for (const [place, decision] of decidePlaces(volume, this.#name, places, clock.monotonic())) {
      const delayMs = await this.#carryOut(volume, place, decision);
      if (delayMs !== undefined) delays.push(delayMs);
    }
    if (delays.length > 0) return { after: Math.max(1, Math.min(...delays)) };
  }

  /** Nodes that have the volume, or whose pods want it. */
  #places(volumes: readonly PersistentVolume[]): Place[] {
    const { lister, clock } = this.#tools;
    const pods = Map.groupBy(
      volumes.flatMap((volume) => this.#podsOf(volume)),
      ({ spec }) => spec.nodeName ?? '',
    );
    const attachments = new Map(
      volumes.flatMap((volume) =>
        lister('volumeattachments')
          .by(attachmentsByVolume, volume.metadata.name)
          .filter(({ metadata, spec }) => metadata.name === attachmentName(volume, spec.nodeName))
          .map((attachment) => [attachment.spec.nodeName, attachment] as const),
      ),
    );
    const nodeNames = [...new Set([...attachments.keys(), ...pods.keys()])].sort();
    this.#attempts.keep(this.#name, nodeNames);
    return nodeNames.map((nodeName) => {
      const node = lister('nodes').get(nodeName);
      const attachment = attachments.get(nodeName);
      const users = pods.get(nodeName) ?? [];
      const isWanted = users.length > 0 || !attachment;
      const unwantedSinceMs = this.#attempts.unwanted(this.#name, nodeName, isWanted, clock.monotonic());
      return {
        ...{ nodeName, pods: users },
        ...(node && { node }),
        ...(attachment && { attachment }),
        ...(unwantedSinceMs !== undefined && { unwantedSinceMs }),
      };
    });
  }

  /** Pods on nodes whose volumes this controller attaches. */
  #podsOf({ metadata, spec }: PersistentVolume): Pod[] {
    const { lister } = this.#tools;
    const key = spec?.claimRef && claimRefKey(spec.claimRef);
    const claim = key && lister('persistentvolumeclaims').get(key);
    const isBound =
      claim &&
      claim.metadata.uid === spec?.claimRef?.uid &&
      claim.spec.volumeName === metadata.name &&
      claim.status?.phase === 'Bound';
    if (!key || !isBound) return [];
    return lister('pods')
      .by(podsByClaim, key)
      .filter((pod) => {
        const node = lister('nodes').get(pod.spec.nodeName ?? '');
        return usesVolumes(pod) && node?.metadata.annotations?.[controllerAttachesAnnotation] !== undefined;
      });
  }

  /** Resolves with the time after which to decide again. */
  async #carryOut(volume: PersistentVolume, place: Place, decision: PlaceDecision): Promise<number | undefined> {
    const { nodeName } = place;
    switch (decision.do) {
      case 'attach':
        return this.#attach(volume, place);
      case 'await-attachment':
        return this.#awaitAttachment(volume, place);
      case 'refuse':
        if (this.#attempts.refuse(this.#name, nodeName))
          for (const pod of place.pods) this.#warn(pod, multiAttachMessage(volume.metadata.name, pod, decision.others));
        return undefined;
      case 'await-unmount':
        return decision.afterMs;
      case 'detach':
        return this.#detach(place, decision);
      case 'nothing':
        if (place.pods.length > 0 && this.#attempts.succeeded(this.#name, nodeName))
          for (const pod of place.pods)
            this.#tools.events.event(
              pod,
              'Normal',
              'SuccessfulAttachVolume',
              `AttachVolume.Attach succeeded for volume "${volume.metadata.name}" `,
            );
        return undefined;
    }
  }

  #warn(pod: Pod, message: string): void {
    this.#tools.events.event(pod, 'Warning', 'FailedAttachVolume', message);
  }

  async #attach(volume: PersistentVolume, { nodeName }: Place): Promise<number | undefined> {
    const { client, clock } = this.#tools;
    const name = attachmentName(volume, nodeName);
    const attacher = volume.spec?.csi?.driver ?? '';
    const source = { persistentVolumeName: volume.metadata.name };
    await client
      .create('volumeattachments', { metadata: { name }, spec: { attacher, nodeName, source } })
      .catch((error) => {
        if (!isAlreadyExists(error)) throw error;
      });
    return this.#attempts.begin(this.#name, nodeName, clock.monotonic());
  }

  /** The driver's attacher is at work. Its errors, and a wait of two minutes, are events. */
  async #awaitAttachment(volume: PersistentVolume, { nodeName, attachment, pods }: Place): Promise<number> {
    const { clock } = this.#tools;
    const { driver = '', volumeHandle = '' } = volume.spec?.csi ?? {};
    const isLeaving = attachment?.metadata.deletionTimestamp !== undefined;
    const error = isLeaving ? 'volume attachment is being deleted' : attachment?.status?.attachError?.message;
    const late = `timed out waiting for external-attacher of ${driver} CSI driver to attach volume ${volumeHandle}`;
    const { failure, delayMs } = this.#attempts.look(this.#name, nodeName, { error, late }, clock.monotonic());
    if (failure !== undefined)
      for (const pod of pods)
        this.#warn(pod, `AttachVolume.Attach failed for volume "${volume.metadata.name}" : ${failure}`);
    return delayMs;
  }

  async #detach(
    { nodeName, node, attachment }: Place,
    { isForced, verifies }: PlaceDecision & { readonly do: 'detach' },
  ): Promise<number | undefined> {
    const { client, metrics, logger } = this.#tools;
    this.#attempts.detach(this.#name, nodeName);
    // The kubelet must see first that the volume is not attached any more.
    if (node?.status?.volumesAttached?.some(({ name }) => name === this.#name)) {
      this.#enqueue(nodeKey(nodeName));
      return undefined;
    }
    if (!attachment) return undefined;
    if (verifies) {
      const current = await client.get('nodes', { name: nodeName }).catch(ignoreNotFound);
      if (isInUse(current, this.#name)) return longestUnmountMs;
    }
    if (isForced) {
      logger.warn('detaching a volume that the node may still use', {
        ...{ volume: this.#name, node: nodeName, reason: isForced },
      });
      metrics
        .counter(
          'attachdetach_controller_forced_detaches',
          'Number of times the A/D Controller performed a forced detach',
        )
        .add(1, { reason: isForced });
    }
    await client.delete('volumeattachments', { name: keyOf(attachment) }).catch(ignoreNotFound);
    return undefined;
  }
}

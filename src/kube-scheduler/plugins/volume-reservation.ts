// Holds the volumes that a pod is to get, and has them bound before the pod is.

import {
  isClaimBound,
  type Node,
  type PersistentVolumeClaim,
  reachesVolume,
  reserveFor,
  volumeAnnotations,
} from '../../api/api.ts';
import type { BindTools, Reservation } from '../framework.ts';
import type { Storage } from '../storage.ts';
import type { VolumeChoice } from './volume-choice.ts';

const { selectedNode } = volumeAnnotations;

export function reserveVolumes(
  { bindings, provisions }: VolumeChoice,
  node: Node,
  storage: Storage,
  timeoutMs: number,
): Reservation {
  const { name } = node.metadata;
  const promised = bindings.map(({ volume, claim }) => ({ volume: reserveFor(volume, claim), claim }));
  const asked = provisions.map((claim) => ({ ...claim, metadata: withNode(claim, name) }));
  const forget = storage.assume(
    promised.map(({ volume }) => volume),
    asked,
  );
  return {
    release: forget,
    async preBind(tools) {
      const { client } = tools;
      const versions = new Map<string, string>();
      for (const { volume } of promised) {
        const written = await client.update('persistentvolumes', volume);
        versions.set(volume.metadata.name, written.metadata.resourceVersion ?? '');
      }
      for (const [index, claim] of asked.entries()) {
        // Another pod of the claim has written it already.
        if (provisions[index].metadata.annotations?.[selectedNode] === name) continue;
        const written = await client.update('persistentvolumeclaims', claim);
        versions.set(keyOfClaim(claim), written.metadata.resourceVersion ?? '');
      }
      await untilBound(tools, timeoutMs, storage, () =>
        [
          ...promised.map(({ volume, claim }) => isPromiseKept(volume.metadata.name, claim, node, storage, versions)),
          ...asked.map((claim) => isProvisioned(claim, node, storage, versions)),
        ].every(Boolean),
      );
    },
  };
}

const keyOfClaim = ({ metadata }: PersistentVolumeClaim): string => `${metadata.namespace}/${metadata.name}`;

const withNode = ({ metadata }: PersistentVolumeClaim, node: string): PersistentVolumeClaim['metadata'] => ({
  ...metadata,
  annotations: { ...metadata.annotations, [selectedNode]: node },
});

/** Looks after each change. Rejects when `isBound` throws, the pod is gone, or time is up. */
function untilBound(
  { clock, signal }: BindTools,
  timeoutMs: number,
  storage: Storage,
  isBound: () => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      stopListening();
      timer.cancel();
      signal.removeEventListener('abort', abort);
      settle();
    };
    const fail = (why: string) => end(() => reject(new Error(`binding volumes: ${why}`)));
    const abort = () => fail('pod does not exist any more');
    const look = () => {
      try {
        if (isBound()) end(resolve);
      } catch (error) {
        fail((error as Error).message);
      }
    };
    let planned = false;
    // Bindings come as several changes at once: one look is enough for all of them.
    const plan = () => {
      if (planned) return;
      planned = true;
      queueMicrotask(() => {
        planned = false;
        look();
      });
    };
    const timer = clock.after(timeoutMs, () => fail('context deadline exceeded'), { background: true });
    signal.addEventListener('abort', abort, { once: true });
    const stopListening = storage.onChange(plan);
    if (signal.aborted) abort();
    else plan();
  });
}

/** The cache is older than the write. */
const isOlder = (cached: string | undefined, written: string | undefined): boolean =>
  written !== undefined && Number(cached ?? 0) < Number(written);

type Versions = ReadonlyMap<string, string>;

function isPromiseKept(
  name: string,
  { metadata }: PersistentVolumeClaim,
  node: Node,
  storage: Storage,
  versions: Versions,
): boolean {
  const volume = storage.volume(name);
  if (!volume) throw new Error(`failed to check binding: could not find v1.PersistentVolume "${name}"`);
  if (isOlder(volume.metadata.resourceVersion, versions.get(name))) return false;
  mustReach(name, node, storage);
  if (!volume.spec?.claimRef?.uid) throw new Error(`ClaimRef got reset for pv "${name}"`);
  const claim = currentClaim(metadata, storage, 'failed to check binding');
  return isUsable(claim);
}

/** Kubelets wait for the phase, which the binder writes last. */
const isUsable = (claim: PersistentVolumeClaim): boolean => isClaimBound(claim) && claim.status?.phase === 'Bound';

function isProvisioned({ metadata }: PersistentVolumeClaim, node: Node, storage: Storage, versions: Versions): boolean {
  const claim = currentClaim(metadata, storage, 'failed to check provisioning pvc');
  if (isOlder(claim.metadata.resourceVersion, versions.get(keyOfClaim(claim)))) return false;
  if (claim.metadata.annotations?.[selectedNode] !== node.metadata.name)
    throw new Error(`provisioning failed for PVC "${metadata.name}"`);
  const { volumeName } = claim.spec;
  if (volumeName) {
    // The volume may reach the cache later than the claim.
    if (!storage.volume(volumeName)) return false;
    mustReach(volumeName, node, storage);
  }
  return isUsable(claim);
}

function currentClaim(
  { namespace = '', name, uid }: PersistentVolumeClaim['metadata'],
  storage: Storage,
  during: string,
): PersistentVolumeClaim {
  const claim = storage.claim(namespace, name);
  if (claim?.metadata.uid === uid && claim) return claim;
  throw new Error(`${during}: could not find v1.PersistentVolumeClaim "${namespace}/${name}"`);
}

function mustReach(name: string, node: Node, storage: Storage): void {
  const volume = storage.volume(name);
  if (volume && !reachesVolume(volume, node))
    throw new Error(
      `pv "${name}" node affinity doesn't match node "${node.metadata.name}": no matching NodeSelectorTerms`,
    );
}

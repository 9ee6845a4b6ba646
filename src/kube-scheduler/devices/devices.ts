// The objects of dynamic resource allocation that the scheduler reads, and the devices that claims hold.

import type { DeviceClass, Pod } from '../../api/api.ts';
import { type ComponentContext, createInformer } from '../../client/client.ts';
import type { ClusterEvent } from '../cluster-events.ts';
import { AllocatedDevices } from './allocated-devices.ts';
import { ClaimTracker } from './claim-tracker.ts';
import { type AllocationResult, extendedClaimAnnotation, type ResourceClaim } from './claim-types.ts';
import { indexSlices, type SliceIndex } from './pools.ts';
import { Selection } from './selection.ts';

export interface Devices {
  claim(namespace: string, name: string): ResourceClaim | undefined;
  /** The claim that was made for the extended resources of the pod. */
  extendedClaimOf(pod: Pod): ResourceClaim | undefined;
  class(name: string): DeviceClass | undefined;
  /** The class whose devices serve an extended resource. */
  classOfResource(resource: string): DeviceClass | undefined;
  slices(): SliceIndex;
  /** Also by allocations that are not written yet. */
  readonly allocated: AllocatedDevices;
  readonly selection: Selection;
  /** Whether a pod that is being bound has an allocation for this claim. */
  isPending(uid: string): boolean;
  /** Takes devices for a claim until the returned function is called. */
  hold(uid: string, allocation: AllocationResult): () => void;
  /** Shows a claim that was just written, until the cache has it. */
  assume(claim: ResourceClaim): void;
  /** Calls the listener after each change of a claim, until the returned function is called. */
  onChange(listener: () => void): () => void;
  newId(): string;
  now(): number;
}

/** A cluster without any devices. */
export const noDevices: Devices = {
  claim: () => undefined,
  extendedClaimOf: () => undefined,
  class: () => undefined,
  classOfResource: () => undefined,
  slices: () => indexSlices([]),
  allocated: new AllocatedDevices(),
  selection: new Selection(),
  isPending: () => false,
  hold: () => () => {},
  assume: () => {},
  onChange: () => () => {},
  newId: () => '',
  now: () => 0,
};

/** A class is an extended resource by its own name too. */
export const classPrefix = 'deviceclass.resource.kubernetes.io/';
const byResource = 'extended resource';

interface OpenDevices {
  readonly devices: Devices;
  /** Begins to report events; the first are those of all existing objects. */
  start(wake: (event: ClusterEvent) => void): void;
  stop(): Promise<void>;
}

/** The newer class counts, and of two equally old ones the first by name. */
const isPreferred = (a: DeviceClass, b: DeviceClass): boolean => {
  const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return x === y ? a.metadata.name < b.metadata.name : x > y;
};

const isExtendedClaimOf = ({ metadata }: Pod, claim: ResourceClaim): boolean =>
  claim.metadata.annotations?.[extendedClaimAnnotation] === 'true' &&
  (claim.metadata.ownerReferences ?? []).some(({ uid, controller }) => controller && uid === metadata.uid);

/** Resolves when the caches are filled. */
export async function openDevices(context: ComponentContext): Promise<OpenDevices> {
  const claims = createInformer(context, 'resourceclaims');
  const slices = createInformer(context, 'resourceslices');
  const classes = createInformer(context, 'deviceclasses');
  const informers = [claims, slices, classes];
  await Promise.all(informers.map((informer) => informer.synced()));
  classes.addIndex(byResource, ({ spec }) => (spec.extendedResourceName ? [spec.extendedResourceName] : []));
  const tracker = new ClaimTracker(claims);
  let index: SliceIndex | undefined;
  slices.handle(() => {
    index = undefined;
  });
  return {
    devices: {
      claim: (namespace, name) => tracker.get(`${namespace}/${name}`),
      extendedClaimOf: (pod) =>
        [...claims.ownedBy(pod), ...tracker.assumed()].find((claim) => isExtendedClaimOf(pod, claim)),
      class: (name) => classes.get(name),
      classOfResource(resource) {
        if (resource.startsWith(classPrefix)) return classes.get(resource.slice(classPrefix.length));
        const [first, ...others] = classes.by(byResource, resource);
        return others.reduce((best, each) => (isPreferred(each, best) ? each : best), first);
      },
      slices: () => (index ??= indexSlices(slices.list())),
      allocated: tracker.allocated,
      selection: new Selection(),
      isPending: (uid) => tracker.isPending(uid),
      hold: (uid, allocation) => tracker.hold(uid, allocation),
      assume: (claim) => tracker.assume(claim),
      onChange: (listener) => claims.handle(listener),
      newId: () => context.random.uuid(),
      now: () => context.clock.now(),
    },
    start(wake) {
      claims.handle((next, old) => wake({ type: 'resource-claim-changed', claim: next, old }));
      slices.handle((next) => next && wake({ type: 'resource-slice-changed' }));
      classes.handle((next) => next && wake({ type: 'device-class-changed', deviceClass: next }));
    },
    stop: async () => void (await Promise.all(informers.map((informer) => informer.stop()))),
  };
}

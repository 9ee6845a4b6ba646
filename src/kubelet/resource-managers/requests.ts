// The CPUs and memory that a pod has for itself. Pure.

import { type Container, isSidecar, type Pod } from '../../api/api.ts';
import { bytes, milli, qosOf } from '../resources/resources.ts';

/** Pods with resources for the whole pod are left out, as in Kubernetes without its alpha feature. */
const isManaged = (pod: Pod): boolean => {
  const { requests = {}, limits = {} } = pod.spec.resources ?? {};
  return qosOf(pod) === 'Guaranteed' && Object.keys({ ...requests, ...limits }).length === 0;
};

export const containersOf = ({ spec }: Pod): readonly Container[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
];

/** It ends before the containers after it start. */
export const isOrdinaryInit = ({ spec }: Pod, { name }: Container): boolean =>
  (spec.initContainers ?? []).some((each) => each.name === name && !isSidecar(each));

/** 0: it uses the CPUs that all containers share. */
export function exclusiveCpus(pod: Pod, { resources }: Container): number {
  if (!isManaged(pod)) return 0;
  const millis = milli(resources?.requests?.['cpu']);
  return millis % 1000 === 0 ? millis / 1000 : 0;
}

type Amounts = ReadonlyMap<string, number>;

/** Memory and huge pages in bytes, by resource; none for pods that share the machine's memory. */
export function ownMemory(pod: Pod, { resources }: Container): Amounts {
  if (!isManaged(pod)) return new Map();
  const own = Object.entries(resources?.requests ?? {}).filter(
    ([name]) => name === 'memory' || name.startsWith('hugepages-'),
  );
  return new Map(own.map(([name, amount]) => [name, bytes(String(amount))]));
}

/** The most that the pod needs at one time: sidecars stay, other init containers end. */
function peakOf(pod: Pod, amountOf: (container: Container) => number): number {
  let [sidecars, init, main] = [0, 0, 0];
  for (const container of pod.spec.initContainers ?? []) {
    if (isSidecar(container)) sidecars += amountOf(container);
    else init = Math.max(init, sidecars + amountOf(container));
  }
  for (const container of pod.spec.containers) main += amountOf(container);
  return Math.max(init, sidecars + main);
}

export const podExclusiveCpus = (pod: Pod): number => peakOf(pod, (container) => exclusiveCpus(pod, container));

export function podOwnMemory(pod: Pod): Amounts {
  const resources = new Set(pod.spec.containers.flatMap((container) => [...ownMemory(pod, container).keys()]));
  return new Map(
    [...resources].map((name) => [name, peakOf(pod, (container) => ownMemory(pod, container).get(name) ?? 0)]),
  );
}

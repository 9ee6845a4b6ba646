// The resources that a pod holds while it is resized: those it has, was granted, or asks for, the highest of each.
// https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/

import { type Container, type ContainerStatus, conditionOf, type Pod, type PodSpec } from '../api/api.ts';
import { deepEqual } from '../machinery/collections/equal.ts';
import { compareQuantities } from '../machinery/quantity.ts';

type Amounts = Readonly<Record<string, string>>;

/** The pod's spec with the requests to count; the same object when its status has no others. */
export function heldSpec(pod: Pod): PodSpec {
  const { spec, status } = pod;
  if (!status?.containerStatuses?.length) return spec;
  const isInfeasible = conditionOf(pod, 'PodResizePending')?.reason === 'Infeasible';
  const hold = (container: Container, statuses: readonly ContainerStatus[] | undefined): Container => {
    const found = statuses?.find(({ name }) => name === container.name);
    const wanted = container.resources?.requests;
    const has = found?.resources?.requests;
    if (!found?.resources || (isSame(wanted, has) && isSame(wanted, found.allocatedResources))) return container;
    const requests = highest(isInfeasible ? {} : wanted, has, found.allocatedResources);
    return { ...container, resources: { ...container.resources, requests } };
  };
  const containers = spec.containers.map((each) => hold(each, status.containerStatuses));
  const initContainers = spec.initContainers?.map((each) =>
    each.restartPolicy === 'Always' ? hold(each, status.initContainerStatuses) : each,
  );
  const own = spec.resources?.requests;
  const ofPod = status.resources?.requests;
  const isOwnHeld = own && status.resources && !(isSame(own, ofPod) && isSame(own, status.allocatedResources));
  const isChanged =
    isOwnHeld ||
    containers.some((each, i) => each !== spec.containers[i]) ||
    initContainers?.some((each, i) => each !== spec.initContainers?.[i]);
  if (!isChanged) return spec;
  const requests = isOwnHeld ? highest(isInfeasible ? {} : own, ofPod, status.allocatedResources) : own;
  return {
    ...spec,
    containers,
    ...(initContainers && { initContainers }),
    ...(requests && { resources: { ...spec.resources, requests } }),
  };
}

/** Left out: not reported. */
const isSame = (wanted: Amounts = {}, reported: Amounts | undefined): boolean =>
  reported === undefined || deepEqual(wanted, reported);

function highest(...lists: readonly (Amounts | undefined)[]): Record<string, string> {
  const result: Record<string, string> = {};
  for (const list of lists)
    for (const [name, amount] of Object.entries(list ?? {}))
      if (!(name in result) || compareQuantities(amount, result[name]) > 0) result[name] = amount;
  return result;
}

import { forbidden, ignoreNotFound, type Node, type Pod, podRequests } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { compareQuantities, milliValue, wholeValue } from '../../machinery/quantity.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';

/** A pod's new size must fit its node. https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/ */
export const podResizeValidator = (client: () => Client): AdmissionPlugin => ({
  name: 'PodResizeValidator',
  validate(attributes) {
    const { operation, kind, subresource, object, oldObject } = attributes;
    if (operation !== 'UPDATE' || kind.group !== '' || kind.resource !== 'pods' || subresource !== 'resize') return;
    const pod = object as Pod;
    if (pod.spec.nodeName && pod.metadata.generation !== oldObject?.metadata.generation)
      return check(attributes, pod, client());
  },
});

async function check({ kind, name }: AdmissionAttributes, pod: Pod, client: Client): Promise<void> {
  const { nodeName = '' } = pod.spec;
  const node = await client.get('nodes', { name: nodeName }).catch(ignoreNotFound);
  if (!node) throw forbidden(kind, name, `node ${JSON.stringify(nodeName)} not found`);
  const fault = platformFault(node) ?? capacityFault(pod, node);
  if (!fault) return;
  const error = forbidden(kind, name, fault.message);
  Object.assign(error.status.details ?? {}, { causes: [{ reason: fault.reason }] });
  throw error;
}

interface Fault {
  readonly reason: 'UnsupportedPlatform' | 'NodeCapacity';
  readonly message: string;
}

function platformFault({ metadata: { name, labels } }: Node): Fault | undefined {
  const system = labels?.['kubernetes.io/os'];
  if (system === undefined || system === 'linux') return undefined;
  const message = `pod resize is only supported on linux nodes, node ${JSON.stringify(name)} is ${JSON.stringify(system)}`;
  return { reason: 'UnsupportedPlatform', message };
}

function capacityFault(pod: Pod, { status }: Node): Fault | undefined {
  const requests = podRequests(pod);
  const faults = Object.entries({ cpu: milliValue, memory: wholeValue }).flatMap(([resource, amount]) => {
    const [asked, allocatable] = [requests[resource] ?? '0', status?.allocatable?.[resource] ?? '0'];
    if (compareQuantities(asked, allocatable) <= 0) return [];
    return [`${resource}, requested: ${amount(asked)}, allocatable: ${amount(allocatable)}`];
  });
  if (!faults.length) return undefined;
  const message = `node didn't have enough allocatable resources: ${faults.join('; ')}`;
  return { reason: 'NodeCapacity', message };
}

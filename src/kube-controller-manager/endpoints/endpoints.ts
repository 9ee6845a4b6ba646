// Updates the Endpoints object of each Service, for clients older than EndpointSlices.
// https://kubernetes.io/docs/concepts/services-networking/service/#endpoints

import {
  type EndpointAddress,
  type EndpointPort,
  type EndpointSubset,
  type Endpoints,
  ignoreNotFound,
  isAlreadyExists,
  isNamespaceTerminating,
  isPodReady,
  type Pod,
  type Service,
} from '../../api/api.ts';
import { type Controller, keyOf, nameOf, own, TerminalError, type Tools, timestamp } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { pause } from '../../machinery/time/turn.ts';
import {
  addressOf,
  familyOf,
  headlessLabel,
  hostnameOf,
  isHeadless,
  isKept,
  lastChangeAnnotation,
  podsOf,
  type ServicePortTarget,
  servicesOfPods,
  type Targets,
  targetsOf,
} from './service-endpoints.ts';

const managedByLabel = 'endpoints.kubernetes.io/managed-by';
const managedBy = 'endpoint-controller';
const overCapacityAnnotation = 'endpoints.kubernetes.io/over-capacity';
const mostAddresses = 1000;
/** An object with more ports, in all its subsets, would be too large to store. */
const mostPorts = 100_000;

export const endpoints: Controller = {
  name: 'endpoints',
  component: 'endpoint-controller',
  watches: [
    own('services'),
    servicesOfPods,
    { resource: 'endpoints', matters: () => true, keys: ({ metadata }) => [`${metadata.namespace}/${metadata.name}`] },
  ],
  async reconcile(key, tools) {
    const service = tools.lister('services').get(key);
    const existing = tools.lister('endpoints').get(key);
    if (!service) return existing?.metadata.labels?.[managedByLabel] === managedBy ? remove(key, tools) : undefined;
    if (service.metadata.deletionTimestamp || !isKept(service)) return;
    await write(service, existing, tools);
  },
};

async function remove(key: string, { client }: Tools): Promise<void> {
  const { name, namespace } = nameOf(key);
  await client.delete('endpoints', { name, namespace }).catch(ignoreNotFound);
}

async function write(service: Service, existing: Endpoints | undefined, tools: Tools): Promise<void> {
  const { client, clock } = tools;
  const { subsets, truncated } = await subsetsOf(service, tools);
  const { [headlessLabel]: _, ...inherited } = service.metadata.labels ?? {};
  const labels = { ...inherited, ...(isHeadless(service) && { [headlessLabel]: '' }), [managedByLabel]: managedBy };
  const { [overCapacityAnnotation]: wasTruncated, ...others } = existing?.metadata.annotations ?? {};
  if (
    existing &&
    deepEqual(existing.subsets ?? [], subsets) &&
    deepEqual(existing.metadata.labels ?? {}, labels) &&
    (wasTruncated === 'truncated') === truncated
  )
    return;
  const annotations = {
    ...others,
    [lastChangeAnnotation]: timestamp(clock.now()),
    ...(truncated && { [overCapacityAnnotation]: 'truncated' }),
  };
  const { name, namespace } = service.metadata;
  try {
    if (existing)
      await client.update('endpoints', {
        ...existing,
        metadata: { ...existing.metadata, labels, annotations },
        subsets,
      });
    else await client.create('endpoints', { metadata: { name, namespace, labels, annotations }, subsets });
  } catch (error) {
    if (!isNamespaceTerminating(error) && !isAlreadyExists(error)) throw error;
  }
}

async function subsetsOf(service: Service, tools: Tools): Promise<{ subsets: EndpointSubset[]; truncated: boolean }> {
  const family = service.spec.ipFamilies?.[0] || (service.spec.clusterIP?.includes(':') ? familyOf('::') : 'IPv4');
  const groups = new Map<Targets, Group>();
  const find = targetsOf(service);
  const needsNoPorts = isHeadless(service) && !service.spec.ports?.length;
  let portCount = 0;
  for (const pod of podsOf(service, tools)) {
    await pause(tools.clock);
    const ip = addressOf(pod, family);
    if (!ip || (pod.metadata.deletionTimestamp && !service.spec.publishNotReadyAddresses)) continue;
    const targets = find(pod);
    if (targets.ports.length === 0 && !needsNoPorts) continue;
    let group = groups.get(targets);
    if (!group) {
      const ports = targets.ports.map(portOf);
      portCount += ports.length;
      if (portCount > mostPorts) throw new TerminalError(`the pods of Service ${keyOf(service)} have too many ports`);
      group = { addresses: [], notReadyAddresses: [], ...(ports.length > 0 && { ports }) };
      groups.set(targets, group);
    }
    const ready = service.spec.publishNotReadyAddresses || isPodReady(pod);
    (ready ? group.addresses : group.notReadyAddresses).push(endpointAddress(service, pod, ip));
  }
  const sorted = [...groups].sort(([a], [b]) => (a.key < b.key ? -1 : 1)).map(([, group]) => group);
  for (const { addresses, notReadyAddresses } of sorted) {
    addresses.sort(byIp);
    notReadyAddresses.sort(byIp);
  }
  const truncated = truncate(sorted);
  const subsets = sorted.map(({ addresses, notReadyAddresses, ports }) => ({
    ...(addresses.length > 0 && { addresses }),
    ...(notReadyAddresses.length > 0 && { notReadyAddresses }),
    ...(ports && { ports }),
  }));
  return { subsets, truncated };
}

type Group = EndpointSubset & { addresses: EndpointAddress[]; notReadyAddresses: EndpointAddress[] };

/** Keeps the addresses that are ready, and as many others as fit; each group loses its share. */
function truncate(groups: readonly Group[]): boolean {
  const total = (list: 'addresses' | 'notReadyAddresses') => groups.reduce((sum, group) => sum + group[list].length, 0);
  const ready = total('addresses');
  if (ready + total('notReadyAddresses') <= mostAddresses) return false;
  const cut = ready > mostAddresses ? 'addresses' : 'notReadyAddresses';
  const all = total(cut);
  const room = cut === 'addresses' ? mostAddresses : mostAddresses - ready;
  let left = room;
  for (const group of groups) {
    const share = Math.ceil((group[cut].length / all) * room);
    group[cut].splice(Math.min(share, left));
    left -= group[cut].length;
    if (cut === 'addresses') group.notReadyAddresses.length = 0;
  }
  return true;
}

const byIp = (a: EndpointAddress, b: EndpointAddress) => (a.ip < b.ip ? -1 : 1);

function portOf({ name, port, protocol, appProtocol }: ServicePortTarget): EndpointPort {
  return { ...(name && { name }), port, protocol, ...(appProtocol && { appProtocol }) };
}

function endpointAddress(service: Service, pod: Pod, ip: string): EndpointAddress {
  const { name, namespace, uid } = pod.metadata;
  const hostname = hostnameOf(service, pod);
  return {
    ip,
    ...(hostname && { hostname }),
    ...(pod.spec.nodeName && { nodeName: pod.spec.nodeName }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

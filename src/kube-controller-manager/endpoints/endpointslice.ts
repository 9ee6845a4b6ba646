// Writes down, in slices of at most 100, where a Service's pods can be reached.
// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/

import {
  type DiscoveryV1EndpointPort,
  type Endpoint,
  type EndpointSlice,
  ignoreNotFound,
  isNamespaceTerminating,
  isPodReady,
  type Pod,
  type Service,
} from '../../api/api.ts';
import { type Controller, controllerReference, own, type Tools, timestamp } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { pause } from '../../machinery/time/turn.ts';
import { canonicalJson } from '../shared/hash.ts';
import {
  addressOf,
  type Family,
  familyOf,
  headlessLabel,
  hostnameOf,
  isHeadless,
  isKept,
  lastChangeAnnotation,
  podsOf,
  servicesOfPods,
  type Targets,
  targetsOf,
} from './service-endpoints.ts';

const endpointsPerSlice = 100;
const serviceNameLabel = 'kubernetes.io/service-name';
const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
const controllerName = 'endpointslice-controller.k8s.io';
const zoneLabel = 'topology.kubernetes.io/zone';
const byService = 'by service';

export const endpointslice: Controller = {
  name: 'endpointslice',
  component: 'endpoint-slice-controller',
  watches: [
    own('services'),
    servicesOfPods,
    {
      resource: 'endpointslices',
      *keys(slice: EndpointSlice) {
        const name = slice.metadata.labels?.[serviceNameLabel];
        if (name && slice.metadata.labels?.[managedByLabel] === controllerName)
          yield `${slice.metadata.namespace}/${name}`;
      },
    },
    {
      // Endpoints contain their node's zone.
      resource: 'nodes',
      matters: (next, old) => next.metadata.labels?.[zoneLabel] !== old.metadata.labels?.[zoneLabel],
      *keys(node, { lister }) {
        if (!node.metadata.labels?.[zoneLabel]) return;
        for (const pod of lister('pods').by('by node', node.metadata.name)) {
          for (const key of servicesOfPods.keys(pod, { lister } as Tools)) yield key;
        }
      },
    },
  ],
  indexes: [
    {
      resource: 'endpointslices',
      name: byService,
      valuesOf: ({ metadata }: EndpointSlice) => [`${metadata.namespace}/${metadata.labels?.[serviceNameLabel] ?? ''}`],
    },
    { resource: 'pods', name: 'by node', valuesOf: ({ spec }: Pod) => (spec.nodeName ? [spec.nodeName] : []) },
  ],
  async reconcile(key, tools) {
    const service = tools.lister('services').get(key);
    // Slices of a deleted Service are the garbage collector's.
    if (!service || service.metadata.deletionTimestamp || !isKept(service)) return;
    const existing = tools
      .lister('endpointslices')
      .by(byService, key)
      .filter(({ metadata }) => metadata.labels?.[managedByLabel] === controllerName && !metadata.deletionTimestamp);
    try {
      await write(await plan(service, existing, tools), service, tools);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      const message = `Error updating Endpoint Slices for Service ${key}: ${(error as Error).message}`;
      tools.events.event(service, 'Warning', 'FailedToUpdateEndpointSlices', message);
      throw error;
    }
  },
};

/** Endpoints that share their address type and ports, and so may share slices. */
interface Group {
  readonly family: Family;
  readonly ports: readonly DiscoveryV1EndpointPort[];
  readonly endpoints: Map<string, Endpoint>;
}

interface Plan {
  readonly create: { family: Family; ports: readonly DiscoveryV1EndpointPort[]; endpoints: Endpoint[] }[];
  readonly update: EndpointSlice[];
  readonly remove: EndpointSlice[];
}

async function plan(service: Service, existing: readonly EndpointSlice[], tools: Tools): Promise<Plan> {
  const result: Plan = { create: [], update: [], remove: [] };
  const unclaimed = new Map<string, EndpointSlice[]>();
  for (const slice of existing) {
    await pause(tools.clock);
    const key = `${slice.addressType} ${portsKey(slice.ports ?? [])}`;
    const same = unclaimed.get(key);
    if (same) same.push(slice);
    else unclaimed.set(key, [slice]);
  }
  const labels = labelsOf(service);
  for (const group of await groupsOf(service, tools)) {
    await pause(tools.clock);
    const key = `${group.family} ${portsKey(group.ports)}`;
    planGroup(group, unclaimed.get(key) ?? [], labels, result);
    unclaimed.delete(key);
  }
  result.remove.push(...[...unclaimed.values()].flat());
  return reuse(result, service);
}

/** Slices to delete become those to create: their names stay, and watchers see no gap. */
function reuse({ create, update, remove }: Plan, service: Service): Plan {
  const isOwned = ({ metadata }: EndpointSlice) =>
    metadata.ownerReferences?.some(({ uid }) => uid === service.metadata.uid);
  const missing = Map.groupBy(create, ({ family }) => family);
  const reused = new Set<unknown>();
  const removed = remove.filter((slice) => {
    const next = isOwned(slice) ? missing.get(slice.addressType as Family)?.shift() : undefined;
    if (!next) return true;
    reused.add(next);
    const { ports, endpoints } = next;
    update.push({ ...slice, metadata: { ...slice.metadata, labels: labelsOf(service) }, endpoints, ports: [...ports] });
    return false;
  });
  return { create: create.filter((next) => !reused.has(next)), update, remove: removed };
}

const portsKey = (ports: readonly DiscoveryV1EndpointPort[]) =>
  canonicalJson(ports.map(({ name = '', ...rest }) => ({ name, ...rest })));

async function groupsOf(service: Service, tools: Tools): Promise<Group[]> {
  const groups: Group[] = [];
  const pods = podsOf(service, tools);
  const find = targetsOf(service);
  for (const family of familiesOf(service)) {
    const byTargets = new Map<Targets, Group>();
    for (const pod of pods) {
      await pause(tools.clock);
      const address = addressOf(pod, family);
      if (!address) continue;
      const targets = find(pod);
      if (targets.ports.length === 0 && (service.spec.ports ?? []).length > 0) continue;
      let group = byTargets.get(targets);
      if (!group) byTargets.set(targets, (group = { family, ports: targets.ports, endpoints: new Map() }));
      group.endpoints.set(pod.metadata.uid, endpointOf(service, pod, address, tools));
    }
    // A Service without endpoints has one empty slice.
    if (byTargets.size === 0) groups.push({ family, ports: [], endpoints: new Map() });
    else groups.push(...byTargets.values());
  }
  return groups;
}

function familiesOf({ spec }: Service): Family[] {
  if (spec.ipFamilies?.length) return spec.ipFamilies.filter((family) => family !== '') as Family[];
  return [spec.clusterIP && spec.clusterIP !== 'None' ? familyOf(spec.clusterIP) : 'IPv4'];
}

function endpointOf(service: Service, pod: Pod, address: string, { lister }: Tools): Endpoint {
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const { nodeName } = pod.spec;
  const zone = nodeName && lister('nodes').get(nodeName)?.metadata.labels?.[zoneLabel];
  const hostname = hostnameOf(service, pod);
  const { name, namespace, uid } = pod.metadata;
  const hints = hintsOf(service, nodeName, zone);
  return {
    addresses: [address],
    conditions: { ready: service.spec.publishNotReadyAddresses || (serving && !terminating), serving, terminating },
    ...(hostname && { hostname }),
    targetRef: { kind: 'Pod', namespace, name, uid },
    ...(nodeName && { nodeName }),
    ...(zone && { zone }),
    ...(hints && { hints }),
  };
}

/** https://kubernetes.io/docs/concepts/services-networking/service/#traffic-distribution */
function hintsOf({ spec }: Service, nodeName?: string, zone?: string): Endpoint['hints'] {
  const { trafficDistribution: wish } = spec;
  if (!wish || !zone) return undefined;
  const forZones = [{ name: zone }];
  if (wish === 'PreferSameNode') return { forZones, ...(nodeName && { forNodes: [{ name: nodeName }] }) };
  return wish === 'PreferClose' || wish === 'PreferSameZone' ? { forZones } : undefined;
}

/** Leaves endpoints in the slices they are in, and fills gaps before making new slices: few writes, small watches. */
function planGroup(group: Group, slices: readonly EndpointSlice[], labels: Record<string, string>, result: Plan): void {
  const missing = new Map(group.endpoints);
  const kept = slices.map((slice) => {
    const endpoints = (slice.endpoints ?? []).flatMap((endpoint) => {
      const uid = endpoint.targetRef?.uid ?? '';
      const wanted = missing.get(uid);
      missing.delete(uid);
      return wanted ? [deepEqual(wanted, endpoint) ? endpoint : wanted] : [];
    });
    return { slice, endpoints };
  });
  const fresh = [...missing.values()];
  for (const { endpoints } of [...kept].sort((a, b) => b.endpoints.length - a.endpoints.length))
    endpoints.push(...fresh.splice(0, endpointsPerSlice - endpoints.length));
  const { family, ports } = group;
  const isCreated = fresh.length > 0;
  while (fresh.length > 0) result.create.push({ family, ports, endpoints: fresh.splice(0, endpointsPerSlice) });
  const used = kept.filter(({ endpoints }) => endpoints.length > 0);
  if (used.length === 0 && !isCreated) {
    if (kept.length > 0) used.push(kept[0]);
    else if (group.endpoints.size === 0) result.create.push({ family, ports, endpoints: [] });
  }
  const isUsed = new Set(used);
  for (const entry of kept) if (!isUsed.has(entry)) result.remove.push(entry.slice);
  for (const { slice, endpoints } of used)
    if (!deepEqual(endpoints, slice.endpoints ?? []) || !deepEqual(labels, slice.metadata.labels))
      result.update.push({ ...slice, metadata: { ...slice.metadata, labels }, endpoints });
}

function labelsOf(service: Service): Record<string, string> {
  const {
    [serviceNameLabel]: _,
    [managedByLabel]: __,
    [headlessLabel]: ___,
    ...labels
  } = service.metadata.labels ?? {};
  return {
    ...labels,
    ...(isHeadless(service) && { [headlessLabel]: '' }),
    [serviceNameLabel]: service.metadata.name,
    [managedByLabel]: controllerName,
  };
}

async function write({ create, update, remove }: Plan, service: Service, { client, clock }: Tools): Promise<void> {
  const { name, namespace } = service.metadata;
  const annotations = { [lastChangeAnnotation]: timestamp(clock.now()) };
  for (const { family, ports, endpoints } of create)
    await client.create('endpointslices', {
      metadata: {
        generateName: `${name}-`,
        namespace,
        labels: labelsOf(service),
        annotations,
        ownerReferences: [controllerReference(service, 'services')],
      },
      addressType: family,
      endpoints,
      ports: [...ports],
    });
  for (const slice of update)
    await client.update('endpointslices', {
      ...slice,
      metadata: { ...slice.metadata, annotations: { ...slice.metadata.annotations, ...annotations } },
    });
  for (const { metadata } of remove)
    await client.delete('endpointslices', { name: metadata.name, namespace }).catch(ignoreNotFound);
}

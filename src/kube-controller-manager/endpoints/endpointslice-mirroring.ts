// Mirrors user-made Endpoints of Services without a selector into EndpointSlices.
// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#endpointslice-mirroring

import {
  type DiscoveryV1EndpointPort,
  type Endpoint,
  type EndpointAddress,
  type EndpointPort,
  type EndpointSlice,
  type EndpointSubset,
  type Endpoints,
  ignoreNotFound,
  isNamespaceTerminating,
  type Service,
} from '../../api/api.ts';
import { type Controller, controllerReference, nameOf, own, type Tools } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { parseIp } from '../../machinery/ip.ts';
import { canonicalJson } from '../shared/hash.ts';
import { type Family, familyOf, lastChangeAnnotation } from './service-endpoints.ts';

const maxEndpointsPerSubset = 1000;
const serviceNameLabel = 'kubernetes.io/service-name';
const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
const skipMirrorLabel = 'endpointslice.kubernetes.io/skip-mirror';
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader';
const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';
const controllerName = 'endpointslicemirroring-controller.k8s.io';
const byEndpoints = 'mirrored by endpoints';

const keyOfSlice = ({ metadata: { labels, namespace } }: EndpointSlice): string | undefined =>
  labels?.[managedByLabel] === controllerName ? `${namespace}/${labels[serviceNameLabel] ?? ''}` : undefined;

export const endpointsliceMirroring: Controller = {
  name: 'endpointslicemirroring',
  component: 'endpoint-slice-mirroring-controller',
  watches: [
    own('endpoints'),
    own('services', (next: Service, old: Service) => hasSelector(next) !== hasSelector(old)),
    { resource: 'endpointslices', keys: (slice: EndpointSlice) => [keyOfSlice(slice) ?? []].flat() },
  ],
  indexes: [
    {
      resource: 'endpointslices',
      name: byEndpoints,
      valuesOf: (slice: EndpointSlice) => [keyOfSlice(slice) ?? []].flat(),
    },
  ],
  async reconcile(key, tools) {
    const existing = tools
      .lister('endpointslices')
      .by(byEndpoints, key)
      .filter(({ metadata }) => !metadata.deletionTimestamp);
    const endpoints = tools.lister('endpoints').get(key);
    const service = tools.lister('services').get(key);
    const mirrored = endpoints && shouldMirror(endpoints) && service && !hasSelector(service);
    if (!mirrored) return write({ create: [], update: [], remove: [...existing] }, nameOf(key).namespace, tools);
    const { groups, invalid, skipped } = groupsOf(endpoints);
    if (invalid > 0) warn(endpoints, 'InvalidIPAddress', skippedInvalid(invalid), tools);
    if (skipped > 0) warn(endpoints, 'TooManyAddressesToMirror', skippedSurplus(skipped + invalid), tools);
    await write(plan(endpoints, groups, existing), endpoints.metadata.namespace, tools);
  },
};

const hasSelector = ({ spec }: { spec: { selector?: object } }): boolean => Object.keys(spec.selector ?? {}).length > 0;

const shouldMirror = ({ metadata: { labels, annotations } }: Endpoints): boolean =>
  labels?.[skipMirrorLabel] !== 'true' && annotations?.[leaderAnnotation] === undefined;

const skippedInvalid = (count: number) => `Skipped ${count} invalid IP addresses when mirroring to EndpointSlices`;
const skippedSurplus = (count: number) =>
  `A max of ${maxEndpointsPerSubset} addresses can be mirrored to EndpointSlices per Endpoints subset. ${count} addresses were skipped`;

const warn = (endpoints: Endpoints, reason: string, message: string, { events }: Tools) =>
  events.event(endpoints, 'Warning', reason, message);

/** The content of one slice: endpoints of one address family with one set of ports. */
interface Group {
  readonly family: Family;
  readonly ports: DiscoveryV1EndpointPort[];
  readonly endpoints: Map<string, Endpoint>;
}

function groupsOf(endpoints: Endpoints): { groups: Group[]; invalid: number; skipped: number } {
  const groups = new Map<string, Group>();
  let invalid = 0;
  let skipped = 0;
  for (const { ports, ready, notReady } of repack(endpoints.subsets ?? [])) {
    const wanted = [...ready.map((address) => ({ address, ready: true }))];
    wanted.push(...notReady.map((address) => ({ address, ready: false })));
    let added = 0;
    for (const { address, ready } of wanted) {
      if (added >= maxEndpointsPerSubset) {
        skipped++;
        continue;
      }
      const ip = parseIp(address.ip);
      if (!ip) {
        invalid++;
        continue;
      }
      added++;
      const family = familyOf(address.ip);
      const key = `${family} ${portsKey(ports)}`;
      const group = groups.get(key) ?? { family, ports, endpoints: new Map() };
      groups.set(key, group);
      const endpoint = endpointOf(address, ready);
      group.endpoints.set(endpointKey(endpoint), endpoint);
    }
  }
  return { groups: [...groups.values()], invalid, skipped };
}

/** Merges subsets with equal ports; an address that is ready in one of them is ready. */
function repack(subsets: readonly EndpointSubset[]) {
  const byPorts = new Map<
    string,
    { ports: DiscoveryV1EndpointPort[]; ready: EndpointAddress[]; notReady: EndpointAddress[] }
  >();
  for (const subset of subsets) {
    const ports = (subset.ports ?? []).map(portOf);
    const key = portsKey(ports);
    const merged = byPorts.get(key) ?? { ports, ready: [], notReady: [] };
    byPorts.set(key, merged);
    merged.ready.push(...(subset.addresses ?? []));
    merged.notReady.push(...(subset.notReadyAddresses ?? []));
  }
  return [...byPorts.values()].map(({ ports, ready, notReady }) => {
    const isReady = new Set(ready.map(addressKey));
    return { ports, ready, notReady: notReady.filter((address) => !isReady.has(addressKey(address))) };
  });
}

const addressKey = ({ ip, targetRef }: EndpointAddress): string => `${ip} ${targetRef?.uid ?? ''}`;

const portOf = ({ name = '', port, protocol = 'TCP', appProtocol }: EndpointPort): DiscoveryV1EndpointPort => ({
  name,
  port,
  protocol,
  ...(appProtocol !== undefined && { appProtocol }),
});

const portsKey = (ports: readonly DiscoveryV1EndpointPort[]): string =>
  canonicalJson(ports.map(({ name = '', ...rest }) => canonicalJson({ name, ...rest })).sort());

const endpointOf = ({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint => ({
  addresses: [ip],
  conditions: { ready },
  ...(hostname && { hostname }),
  ...(targetRef && { targetRef }),
  ...(nodeName !== undefined && { nodeName }),
});

const endpointKey = ({ addresses, hostname, nodeName, targetRef }: Endpoint): string =>
  canonicalJson([addresses, hostname ?? '', nodeName ?? '', targetRef?.namespace ?? '', targetRef?.name ?? '']);

interface Plan {
  readonly create: SliceDraft[];
  readonly update: EndpointSlice[];
  readonly remove: EndpointSlice[];
}

/** One slice per group. Unused slices are reused for new groups of their family. */
function plan(owner: Endpoints, groups: readonly Group[], existing: readonly EndpointSlice[]): Plan {
  const result: Plan = { create: [], update: [], remove: [] };
  const unclaimed = new Set(existing);
  const fresh: Group[] = [];
  for (const group of groups) {
    const slice = existing.find(
      (candidate) =>
        unclaimed.has(candidate) &&
        candidate.addressType === group.family &&
        portsKey(candidate.ports ?? []) === portsKey(group.ports),
    );
    if (!slice) {
      fresh.push(group);
      continue;
    }
    unclaimed.delete(slice);
    if (!isCurrent(slice, owner, group)) result.update.push(renewed(slice, owner, group));
  }
  for (const group of fresh) {
    const reusable = [...unclaimed].find(({ addressType }) => addressType === group.family);
    if (reusable) {
      unclaimed.delete(reusable);
      result.update.push(renewed(reusable, owner, group));
    } else if (!owner.metadata.deletionTimestamp) result.create.push(sliceOf(owner, group));
  }
  result.remove.push(...unclaimed);
  return result;
}

function isCurrent(slice: EndpointSlice, owner: Endpoints, { endpoints }: Group): boolean {
  const wanted = sliceMetadata(owner);
  const has = new Map((slice.endpoints ?? []).map((endpoint) => [endpointKey(endpoint), endpoint]));
  return (
    has.size === endpoints.size &&
    [...endpoints].every(([key, endpoint]) => deepEqual(has.get(key), endpoint)) &&
    deepEqual(slice.metadata.labels ?? {}, wanted.labels) &&
    deepEqual(slice.metadata.annotations ?? {}, wanted.annotations)
  );
}

function sliceMetadata({ metadata: { name, labels, annotations } }: Endpoints) {
  const { [lastChangeAnnotation]: _, [lastAppliedAnnotation]: __, ...inherited } = annotations ?? {};
  return {
    labels: { ...labels, [serviceNameLabel]: name, [managedByLabel]: controllerName },
    annotations: inherited,
  };
}

type SliceDraft = Omit<EndpointSlice, 'metadata'> & { metadata: Partial<EndpointSlice['metadata']> };

const sliceOf = (owner: Endpoints, { family, ports, endpoints }: Group): SliceDraft => ({
  metadata: {
    ...sliceMetadata(owner),
    generateName: `${owner.metadata.name}-`,
    namespace: owner.metadata.namespace,
    ownerReferences: [controllerReference(owner, 'endpoints')],
  },
  addressType: family,
  ports,
  endpoints: [...endpoints.values()],
});

function renewed(slice: EndpointSlice, owner: Endpoints, { family, ports, endpoints }: Group): EndpointSlice {
  const metadata = {
    ...slice.metadata,
    ...sliceMetadata(owner),
    ownerReferences: [controllerReference(owner, 'endpoints')],
  };
  return { ...slice, metadata, addressType: family, ports, endpoints: [...endpoints.values()] };
}

async function write({ create, update, remove }: Plan, namespace: string | undefined, { client }: Tools) {
  try {
    for (const slice of create) await client.create('endpointslices', slice);
  } catch (error) {
    if (isNamespaceTerminating(error)) return;
    throw error;
  }
  for (const slice of update) await client.update('endpointslices', slice);
  for (const { metadata } of remove)
    await client.delete('endpointslices', { name: metadata.name, namespace }).catch(ignoreNotFound);
}

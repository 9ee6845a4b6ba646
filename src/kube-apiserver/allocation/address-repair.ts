// Keeps the relation between cluster IPs and IPAddress objects: each cluster IP has the object that refers to its
// service. Every API server does this, at each change and for all objects at an interval.
// https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/

import { type IPAddress, ignoreNotFound, type KubeObject, type Service } from '../../api/api.ts';
import { type Controller, type Tools as ControllerTools, type EventReporter, keyOf } from '../../client/client.ts';
import { canonicalIpText, cidrHasHost, formatIp, type Ip, parseCidr, parseIp } from '../../machinery/ip.ts';
import { must } from '../../machinery/must.ts';
import { repairEveryMs, repeat } from './repair-interval.ts';

/** An object exists before its service, for as long as a request may take. */
const graceMs = 60_000;
const familyLabel = 'ipaddress.kubernetes.io/ip-family';
const managerLabel = 'ipaddress.kubernetes.io/managed-by';
const manager = 'ipallocator.k8s.io';

type Address = IPAddress & KubeObject;
type Owner = Service & KubeObject;

const prefixed = (prefix: string) => ({
  resource: prefix as 'services' | 'ipaddresses',
  keys: (object: KubeObject) => [`${prefix}/${keyOf(object)}`],
});

interface Tools extends Pick<ControllerTools, 'clock' | 'lister' | 'client'> {
  readonly reporter: EventReporter;
}

export const addressRepair = (reporter: EventReporter): Controller => ({
  name: 'ipallocator-repair',
  // One by one, services first: their repairs change the objects.
  workers: 1,
  watches: [prefixed('services'), prefixed('ipaddresses')],
  reads: ['servicecidrs'],
  start({ clock, lister }, enqueue) {
    return repeat(clock, repairEveryMs, () => {
      for (const resource of ['services', 'ipaddresses'] as const)
        for (const object of lister(resource).list()) enqueue(`${resource}/${keyOf(object)}`);
    });
  },
  async reconcile(key, { clock, lister, client }) {
    const tools = { clock, lister, client, reporter };
    const slash = key.indexOf('/');
    const name = key.slice(slash + 1);
    if (key.slice(0, slash) === 'services') {
      const service = tools.lister('services').get(name);
      for (const ip of service ? clusterIpsOf(service) : []) await repairAddressOf(service as Owner, ip, tools);
      return;
    }
    const address = tools.lister('ipaddresses').get(name);
    if (address?.metadata.labels?.[managerLabel] === manager) return repairObject(address as Address, tools);
  },
});

const clusterIpsOf = ({ spec }: Service): readonly string[] =>
  spec?.type === 'ExternalName' || spec?.clusterIP === 'None' || !spec?.clusterIP ? [] : (spec.clusterIPs ?? []);

async function repairAddressOf(service: Owner, clusterIP: string, tools: Tools): Promise<void> {
  const { lister, reporter, client } = tools;
  const warn = (reason: string, note: string, action = 'ClusterIPAllocation') =>
    reporter.report(service, { type: 'Warning', reason, action, note });
  const ip = parseIp(clusterIP);
  if (!ip) {
    const note = `Cluster IP ${clusterIP} is not a valid IP; please recreate Service`;
    return warn('ClusterIPNotValid', note, 'ClusterIPValidation');
  }
  const text = formatIp(ip);
  const at = `[IPv${ip.family}]`;
  if (!isInRange(ip, tools))
    return warn(
      'ClusterIPOutOfRange',
      `Cluster IP ${at}: ${text} is not within any configured Service CIDR; please recreate service`,
    );
  const address = lister('ipaddresses').get(text);
  if (!address) {
    warn('ClusterIPNotAllocated', `Cluster IP ${at}: ${text} is not allocated; repairing`);
    await client.create('ipaddresses', addressFor(service, ip));
    return;
  }
  const { namespace, name } = service.metadata;
  const replace = async () => {
    warn(
      'ClusterIPNotAllocated',
      `the ClusterIP ${at}: ${text} for Service ${namespace}/${name} has a wrong reference; repairing`,
    );
    await recreate(service, ip, tools);
  };
  const parent = address.spec.parentRef;
  if (!refersToService(address)) return replace();
  if (parent.namespace !== namespace || parent.name !== name) {
    // Of two services with the address, one has the object: neither takes it from the other.
    const other = lister('services').get(`${parent.namespace}/${parent.name}`);
    if (!other) return replace();
    if (hasIp(other, text))
      warn(
        'ClusterIPAlreadyAllocated',
        `Cluster IP ${at}:${text} was assigned to multiple services; please recreate service`,
      );
  }
  const labels = address.metadata.labels ?? {};
  if (labels[familyLabel] !== `IPv${ip.family}` || labels[managerLabel] !== manager) await recreate(service, ip, tools);
}

async function repairObject(address: Address, tools: Tools): Promise<{ after: number } | void> {
  const { reporter, lister, clock } = tools;
  const { name, creationTimestamp } = address.metadata;
  const remove = async (reason: string, note: string) => {
    reporter.report(address, { type: 'Warning', reason, action: 'IPAddressAllocation', note });
    await removeAddress(name, tools);
  };
  const { parentRef } = address.spec;
  if (!refersToService(address)) {
    const { group = '', resource = '', namespace = '', name: of = '' } = parentRef;
    // As Go prints it.
    const shown = `&ParentReference{Group:${group},Resource:${resource},Namespace:${namespace},Name:${of},}`;
    return remove(
      'IPAddressNotAllocated',
      `IPAddress ${name} appears to have been modified, not referencing a Service ${shown}: cleaning up`,
    );
  }
  const parent = `${parentRef.namespace}/${parentRef.name}`;
  const service = lister('services').get(parent);
  if (service && hasIp(service, name)) return;
  if (service)
    return remove(
      'IPAddressWrongReference',
      `IPAddress: ${name} for Service ${parent} has a wrong reference; cleaning up`,
    );
  const restMs = Date.parse(creationTimestamp ?? '') + graceMs - clock.now();
  // Strictly older, and looked at again a moment later.
  if (restMs >= 0) return { after: restMs + 1 };
  return remove(
    'IPAddressNotAllocated',
    `IPAddress: ${name} for Service ${parent} appears to have leaked: cleaning up`,
  );
}

/** Stored services may spell an address in another way. */
const hasIp = ({ spec }: Service, address: string): boolean =>
  (spec?.clusterIPs ?? []).some((ip) => canonicalIpText(ip) === address);

const refersToService = ({ spec }: IPAddress): boolean =>
  !spec.parentRef.group && spec.parentRef.resource === 'services';

const isInRange = (ip: Ip, { lister }: Tools): boolean =>
  lister('servicecidrs')
    .list()
    .flatMap(({ spec }) => spec?.cidrs ?? [])
    .some((text) => {
      const cidr = parseCidr(text);
      return cidr !== undefined && cidrHasHost(cidr, ip);
    });

async function recreate(service: Owner, ip: Ip, tools: Tools): Promise<void> {
  await removeAddress(formatIp(ip), tools);
  await tools.client.create('ipaddresses', addressFor(service, ip));
}

const removeAddress = (name: string, { client }: Tools) => client.delete('ipaddresses', { name }).catch(ignoreNotFound);

function addressFor({ metadata }: Owner, ip: Ip) {
  return {
    metadata: {
      name: formatIp(ip),
      labels: { [familyLabel]: `IPv${ip.family}`, [managerLabel]: manager },
    },
    spec: {
      parentRef: { resource: 'services', namespace: must(metadata.namespace, 'namespace'), name: metadata.name },
    },
  };
}

// The shapes of the answers of a user's own cloud provider. An answer of another shape is an error, and changes nothing.

import { type LoadBalancerStatus, type NodeAddress, validateLabels } from '../../../api/api.ts';
import { parseCidr } from '../../../machinery/ip.ts';
import { type Fields, isFields } from '../../../machinery/parsed.ts';
import type { Instance, Route } from '../../provider.ts';
import { checkIp, flagOf, itemsOf, objectOf, textOf, wrong } from '../shape.ts';

const mostAddresses = 64;
const mostLabels = 64;
const mostRoutes = 10_000;

const addressTypes = ['Hostname', 'InternalIP', 'ExternalIP', 'InternalDNS', 'ExternalDNS'];
const hostname = /^(?=.{1,253}$)[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$/;

function addressesOf(from: Fields, field: string, where: string): NodeAddress[] {
  return itemsOf(from, field, where, mostAddresses).map((item, i) => {
    const place = `${where}${field}[${i}].`;
    const type = textOf(item, 'type', place);
    const address = textOf(item, 'address', place);
    if (!addressTypes.includes(type)) throw wrong(`${place}type`, `must be one of ${addressTypes.join(', ')}`);
    if (type.endsWith('IP')) checkIp(address, `${place}address`);
    else if (!hostname.test(address)) throw wrong(`${place}address`, 'must be a name');
    return { type, address };
  });
}

/** `exists` must be said: an empty answer deletes no node and no load balancer. */
export const existsIn = (answer: Fields): boolean => flagOf(answer, 'exists', '');

/** Undefined: there is no such machine. `providerID`: of the node, if it has one. */
export function instanceIn(answer: Fields, providerID: string): Instance | undefined {
  if (!existsIn(answer)) return undefined;
  const found = objectOf(answer, 'instance', '');
  const where = 'instance.';
  const given = textOf(found, 'providerID', where, '');
  if (/[^!-~]/.test(given)) throw wrong('instance.providerID', 'must have no spaces and no special characters');
  if (providerID && given && given !== providerID)
    throw wrong('instance.providerID', `is ${given}, and the request was about ${providerID}`);
  const [type, zone, region] = ['type', 'zone', 'region'].map((field) => textOf(found, field, where, ''));
  for (const [field, value] of Object.entries({ type, zone, region }))
    checkLabels({ [`x/${field}`]: value }, `instance.${field}`);
  const labels = found['labels'] ?? {};
  if (!isFields(labels) || Object.keys(labels).length > mostLabels)
    throw wrong('instance.labels', `must be an object of up to ${mostLabels} labels`);
  const checked = Object.fromEntries(Object.keys(labels).map((key) => [key, textOf(labels, key, 'instance.labels.')]));
  checkLabels(checked, 'instance.labels');
  return {
    ...{ providerID: given, type, zone, region, labels: checked },
    isShutDown: flagOf(found, 'shutDown', where, false),
    addresses: addressesOf(found, 'addresses', where),
  };
}

function checkLabels(labels: Record<string, string>, place: string): void {
  const [fault] = validateLabels(labels, place);
  if (fault) throw wrong(place, `has a label that Kubernetes refuses: ${fault.message}`);
}

const ipModes = ['VIP', 'Proxy'];

/** The status of a load balancer. `taken`: addresses that belong to the cluster, with their users. */
export function statusIn(answer: Fields, taken: ReadonlyMap<string, string>): LoadBalancerStatus {
  const ingress = itemsOf(answer, 'ingress', '', mostAddresses).map((item, i) => {
    const place = `ingress[${i}].`;
    const ip = textOf(item, 'ip', place, '');
    const name = textOf(item, 'hostname', place, '');
    const ipMode = textOf(item, 'ipMode', place, 'VIP');
    if ((ip === '') === (name === '')) throw wrong(place.slice(0, -1), 'must have an ip or a hostname');
    if (ip) checkIp(ip, `${place}ip`);
    if (name && !hostname.test(name)) throw wrong(`${place}hostname`, 'must be a name');
    const user = taken.get(ip);
    if (user) throw wrong(`${place}ip`, `${ip} is the address of ${user}`);
    if (!ipModes.includes(ipMode)) throw wrong(`${place}ipMode`, `must be one of ${ipModes.join(', ')}`);
    return ip ? { ip, ipMode } : { hostname: name.toLowerCase() };
  });
  return ingress.length > 0 ? { ingress } : {};
}

export function routesIn(answer: Fields): Route[] {
  if (answer['routes'] === undefined) throw wrong('routes', `must be a list of up to ${mostRoutes} objects`);
  return itemsOf(answer, 'routes', '', mostRoutes).map((item, i) => {
    const place = `routes[${i}].`;
    const destinationCIDR = textOf(item, 'destinationCIDR', place);
    if (!parseCidr(destinationCIDR)) throw wrong(`${place}destinationCIDR`, 'must be an address range');
    return {
      name: textOf(item, 'name', place),
      targetNode: textOf(item, 'targetNode', place, ''),
      destinationCIDR,
      isBlackhole: flagOf(item, 'blackhole', place, false),
      ...(item['targetAddresses'] !== undefined && { targetAddresses: addressesOf(item, 'targetAddresses', place) }),
    };
  });
}

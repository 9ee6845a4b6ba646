// Makes ranges of service addresses ready for use, and delays their deletion while services have addresses of them.
// https://kubernetes.io/docs/tasks/network/extend-service-ip-ranges/

import { conditionOf, type IPAddress, type ServiceCIDR } from '../api/api.ts';
import { type Controller, keyOf, type Tools, timestamp, type Watch } from '../client/client.ts';
import { type Cidr, cidrHasHost, cidrsOverlap, parseCidr, parseIp } from '../machinery/ip.ts';

const finalizer = 'networking.k8s.io/service-cidr-finalizer';
const managedBy = 'ipaddress.kubernetes.io/managed-by';
const allocatorName = 'ipallocator.k8s.io';
/** Time in which all API servers learn of a deletion: until then they may give an address of the range. */
const graceMs = 10_000;

const cidrsOf = ({ spec }: ServiceCIDR): Cidr[] => (spec?.cidrs ?? []).flatMap((text) => parseCidr(text) ?? []);

function hasAddress(cidr: Cidr, text: string): boolean {
  const ip = parseIp(text);
  return ip !== undefined && cidrHasHost(cidr, ip);
}

/** A new or removed range may be the reason why another one can go. */
const overlapping: Watch = {
  resource: 'servicecidrs',
  *keys(range: ServiceCIDR, { lister }) {
    yield keyOf(range);
    for (const other of lister('servicecidrs').list())
      if (cidrsOf(other).some((a) => cidrsOf(range).some((b) => cidrsOverlap(a, b)))) yield keyOf(other);
  },
};

const containing: Watch = {
  resource: 'ipaddresses',
  matters: () => false,
  *keys({ metadata }: IPAddress, { lister }) {
    if (metadata.labels?.[managedBy] !== allocatorName) return;
    // Only ranges that are being deleted wait for addresses.
    for (const range of lister('servicecidrs').list())
      if (range.metadata.deletionTimestamp && cidrsOf(range).some((cidr) => hasAddress(cidr, metadata.name)))
        yield keyOf(range);
  },
};

export const serviceCidrs: Controller = {
  name: 'service-cidr',
  watches: [overlapping, containing],
  async reconcile(key, tools) {
    const range = tools.lister('servicecidrs').get(key);
    if (!range) return;
    const { deletionTimestamp } = range.metadata;
    if (!deletionTimestamp) {
      await setFinalizer(range, true, tools);
      return setReady(range, { status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' }, tools);
    }
    if (!canGo(range, tools)) {
      const message =
        'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR';
      return setReady(range, { status: 'False', reason: 'Terminating', message }, tools);
    }
    const restMs = Date.parse(deletionTimestamp) + graceMs - tools.clock.now();
    if (restMs > 0) return { after: restMs };
    await setFinalizer(range, false, tools);
  },
};

/** Whether all addresses of the range are in other ranges too. */
function canGo(range: ServiceCIDR, { lister }: Tools): boolean {
  const others = lister('servicecidrs')
    .list()
    .filter(({ metadata }) => metadata.name !== range.metadata.name)
    .flatMap(cidrsOf);
  const isWithin = (cidr: Cidr) => others.some((other) => cidrsOverlap(other, cidr) && other.prefix <= cidr.prefix);
  const own = cidrsOf(range);
  if (own.every(isWithin)) return true;
  return lister('ipaddresses')
    .list()
    .filter(({ metadata }) => metadata.labels?.[managedBy] === allocatorName)
    .every(({ metadata: { name } }) => {
      const isIn = (cidr: Cidr) => hasAddress(cidr, name);
      return !own.some(isIn) || others.some(isIn);
    });
}

async function setFinalizer({ metadata }: ServiceCIDR, wanted: boolean, { client }: Tools): Promise<void> {
  const { name, finalizers = [], resourceVersion } = metadata;
  if (finalizers.includes(finalizer) === wanted) return;
  const others = finalizers.filter((each) => each !== finalizer);
  const body = { metadata: { resourceVersion, finalizers: wanted ? [...others, finalizer] : others } };
  await client.patch('servicecidrs', { name }, { type: 'merge', body });
}

interface Ready {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

async function setReady(range: ServiceCIDR, wanted: Ready, { client, clock }: Tools): Promise<void> {
  const { status, reason = '', message } = conditionOf(range, 'Ready') ?? {};
  if (status === wanted.status && reason === wanted.reason && message === wanted.message) return;
  const { name } = range.metadata;
  const condition = { type: 'Ready', ...wanted, lastTransitionTime: timestamp(clock.now()) };
  const body = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name },
    status: { conditions: [condition] },
  };
  const options = { fieldManager: 'service-cidr-controller', subresource: 'status' };
  await client.patch('servicecidrs', { name }, { type: 'apply', body, force: true }, options);
}

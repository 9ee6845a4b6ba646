// The pods and ports behind a Service: shared by EndpointSlices and Endpoints.

import { isPodReady, isPodTerminal, type Pod, type Service } from '../../api/api.ts';
import type { Tools } from '../../client/client.ts';
import { keyOf, type Watch } from '../../client/client.ts';
import { selectorOf } from '../shared/claim.ts';

export type Family = 'IPv4' | 'IPv6';

export interface ServicePortTarget {
  readonly name: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly appProtocol?: string;
}

/** Every Service of the pod's namespace that selects it. */
export const servicesOfPods: Watch = {
  resource: 'pods',
  matters: (next: Pod, old: Pod) => concernsServices(next, old),
  *keys(pod: Pod, { lister }: Tools) {
    for (const service of lister('services').list(pod.metadata.namespace))
      if (selects(service, pod)) yield keyOf(service);
  },
};

/** Most updates concern neither addresses, readiness nor labels, and change no endpoint. */
function concernsServices(next: Pod, old: Pod): boolean {
  return (
    next.metadata.deletionTimestamp !== old.metadata.deletionTimestamp ||
    next.metadata.labels !== old.metadata.labels ||
    next.spec.nodeName !== old.spec.nodeName ||
    next.status?.phase !== old.status?.phase ||
    isPodReady(next) !== isPodReady(old) ||
    addressesOf(next).join() !== addressesOf(old).join()
  );
}

const selects = (service: Service, pod: Pod): boolean =>
  hasSelector(service) && selectorOf(service).matches(pod.metadata.labels ?? {});

const hasSelector = ({ spec }: Service) => spec.selector !== undefined && Object.keys(spec.selector).length > 0;

/** Whether this controller manages the endpoints. Users manage those of a Service without a selector. */
export const isKept = (service: Service): boolean => service.spec.type !== 'ExternalName' && hasSelector(service);

export const isHeadless = ({ spec }: Service): boolean => spec.clusterIP === 'None';

const addressesOf = ({ status }: Pod): string[] =>
  status?.podIPs?.length ? status.podIPs.map(({ ip }) => ip) : status?.podIP ? [status.podIP] : [];

export const familyOf = (ip: string): Family => (ip.includes(':') ? 'IPv6' : 'IPv4');

export const addressOf = (pod: Pod, family: Family): string | undefined =>
  addressesOf(pod).find((ip) => familyOf(ip) === family);

/** The pods behind a Service that have an address and have not finished. */
export function podsOf(service: Service, { lister }: Tools): readonly Pod[] {
  const selector = selectorOf(service);
  return lister('pods')
    .list(service.metadata.namespace)
    .filter((pod) => selector.matches(pod.metadata.labels ?? {}) && !isPodTerminal(pod) && addressesOf(pod).length > 0);
}

/** A pod's ports for those of a Service. Pods with the same ports have the same object. */
export interface Targets {
  readonly ports: readonly ServicePortTarget[];
  /** Orders the targets of one Service. */
  readonly key: string;
}

/** Finds the ports of pods. A port is omitted if the pod lacks its name. */
export function targetsOf({ spec }: Service): (pod: Pod) => Targets {
  const ports = (spec.ports ?? []).map((port) => {
    const { name = '', protocol = 'TCP', appProtocol } = port;
    const target = port.targetPort ?? port.port;
    return {
      protocol,
      target,
      at: once((number) => ({ name, port: number, protocol, ...(appProtocol && { appProtocol }) })),
    };
  });
  const byName = ports.filter(({ target }) => typeof target !== 'number');
  const found = new Map<string, Targets>();
  return (pod) => {
    const numbers = byName.length > 0 ? namedPorts(pod) : new Map<string, number>();
    const key = byName.map(({ protocol, target }) => numbers.get(`${protocol} ${target}`) ?? 0).join();
    let targets = found.get(key);
    if (!targets) {
      const present = ports.flatMap(({ protocol, target, at }): ServicePortTarget[] => {
        const number = typeof target === 'number' ? target : (numbers.get(`${protocol} ${target}`) ?? 0);
        return number === 0 ? [] : [at(number)];
      });
      found.set(key, (targets = { ports: present, key }));
    }
    return targets;
  };
}

/** Calls `make` once for each number: thousands of pods share the entries of thousands of ports. */
function once<T>(make: (number: number) => T): (number: number) => T {
  const made = new Map<number, T>();
  return (number) => {
    let value = made.get(number);
    if (!value) made.set(number, (value = make(number)));
    return value;
  };
}

/** By protocol and name; the first of a name counts. */
function namedPorts({ spec }: Pod): Map<string, number> {
  const numbers = new Map<string, number>();
  const sidecars = (spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  for (const { ports } of [...spec.containers, ...sidecars])
    for (const { name, containerPort, protocol = 'TCP' } of ports ?? [])
      if (name && !numbers.has(`${protocol} ${name}`)) numbers.set(`${protocol} ${name}`, containerPort);
  return numbers;
}

/** The pod's DNS name in this Service. */
export const hostnameOf = (service: Service, pod: Pod): string | undefined =>
  pod.spec.hostname && pod.spec.subdomain === service.metadata.name ? pod.spec.hostname : undefined;

export const lastChangeAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time';
export const headlessLabel = 'service.kubernetes.io/headless';

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

/** The pod's ports for those of the Service. A port is omitted if the pod lacks its name. */
export function targetsOf(service: Service, pod: Pod): ServicePortTarget[] {
  return (service.spec.ports ?? []).flatMap((port) => {
    const number = targetPort(port.targetPort ?? port.port, port.protocol ?? 'TCP', pod) ?? 0;
    if (number === 0) return [];
    const { name = '', protocol = 'TCP', appProtocol } = port;
    return [{ name, port: number, protocol, ...(appProtocol && { appProtocol }) }];
  });
}

function targetPort(target: number | string, protocol: string, pod: Pod): number | undefined {
  if (typeof target === 'number') return target;
  const sidecars = (pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  for (const { ports } of [...pod.spec.containers, ...sidecars])
    for (const { name, containerPort, protocol: has = 'TCP' } of ports ?? [])
      if (name === target && has === protocol) return containerPort;
  return undefined;
}

/** The pod's DNS name in this Service. */
export const hostnameOf = (service: Service, pod: Pod): string | undefined =>
  pod.spec.hostname && pod.spec.subdomain === service.metadata.name ? pod.spec.hostname : undefined;

export const lastChangeAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time';
export const headlessLabel = 'service.kubernetes.io/headless';

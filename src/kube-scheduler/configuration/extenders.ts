// Extenders: servers that filter and score nodes, choose victims, or bind pods.
// https://kubernetes.io/docs/reference/config-api/kube-scheduler-config.v1/#kubescheduler-config-k8s-io-v1-Extender

import { type FieldError, invalidValue, invalidValues, isExtendedResource } from '../../api/api.ts';
import type { Shape } from '../../machinery/fields/configuration-shape.ts';
import { qualifiedNameFaults } from '../../machinery/text/names.ts';
import { parseDuration } from '../../machinery/time/duration.ts';

export const extenderShape: Shape = {
  urlPrefix: 'string',
  filterVerb: 'string',
  preemptVerb: 'string',
  prioritizeVerb: 'string',
  bindVerb: 'string',
  weight: 'integer',
  enableHTTPS: 'boolean',
  tlsConfig: {
    insecure: 'boolean',
    serverName: 'string',
    certFile: 'string',
    keyFile: 'string',
    caFile: 'string',
    certData: 'string',
    keyData: 'string',
    caData: 'string',
  },
  httpTimeout: 'string',
  nodeCacheCapable: 'boolean',
  managedResources: [{ name: 'string', ignoredByScheduler: 'boolean' }],
  ignorable: 'boolean',
};

interface ExtenderTls {
  readonly insecure?: boolean;
  readonly serverName?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly caFile?: string;
  /** In base64. */
  readonly certData?: string;
  readonly keyData?: string;
  readonly caData?: string;
}

export interface GivenExtender {
  readonly urlPrefix?: string;
  readonly filterVerb?: string;
  readonly preemptVerb?: string;
  readonly prioritizeVerb?: string;
  readonly bindVerb?: string;
  readonly weight?: number;
  readonly enableHTTPS?: boolean;
  readonly tlsConfig?: ExtenderTls;
  readonly httpTimeout?: string;
  readonly nodeCacheCapable?: boolean;
  readonly managedResources?: readonly { readonly name?: string; readonly ignoredByScheduler?: boolean }[];
  readonly ignorable?: boolean;
}

export interface ExtenderConfig {
  readonly urlPrefix: string;
  /** '': it does not take part. */
  readonly filterVerb: string;
  readonly preemptVerb: string;
  readonly prioritizeVerb: string;
  readonly bindVerb: string;
  readonly weight: number;
  readonly enableHTTPS: boolean;
  readonly tls: ExtenderTls;
  readonly timeoutMs: number;
  readonly nodeCacheCapable: boolean;
  /** It sees only pods that request one of these; all pods if there are none. */
  readonly managedResources: readonly string[];
  /** Resources that the plugin NodeResourcesFit leaves to the extender. */
  readonly ignoredResources: readonly string[];
  readonly ignorable: boolean;
}

const defaultTimeoutMs = 5_000;

export function readExtender(given: GivenExtender): ExtenderConfig {
  const managed = given.managedResources ?? [];
  return {
    urlPrefix: given.urlPrefix ?? '',
    filterVerb: given.filterVerb ?? '',
    preemptVerb: given.preemptVerb ?? '',
    prioritizeVerb: given.prioritizeVerb ?? '',
    bindVerb: given.bindVerb ?? '',
    weight: given.weight ?? 0,
    enableHTTPS: given.enableHTTPS ?? false,
    tls: given.tlsConfig ?? {},
    timeoutMs: parseDuration(given.httpTimeout ?? '0') || defaultTimeoutMs,
    nodeCacheCapable: given.nodeCacheCapable ?? false,
    managedResources: managed.map(({ name = '' }) => name),
    ignoredResources: managed.filter((each) => each.ignoredByScheduler).map(({ name = '' }) => name),
    ignorable: given.ignorable ?? false,
  };
}

export function extenderFaults(extenders: readonly GivenExtender[]): FieldError[] {
  const managed = new Set<string>();
  const faults = extenders.flatMap((extender, index) => {
    const path = `extenders[${index}]`;
    const { prioritizeVerb, weight = 0, managedResources = [] } = extender;
    return [
      ...urlFaults(extender, path),
      ...(prioritizeVerb && weight <= 0
        ? [invalidValue(`${path}.weight`, weight, 'must have a positive weight applied to it')]
        : []),
      ...managedResources.flatMap(({ name = '' }, i) => {
        const at = `${path}.managedResources[${i}].name`;
        const repeated = managed.has(name) ? [invalidValue(at, name, 'duplicate extender managed resource name')] : [];
        managed.add(name);
        return [...resourceFaults(name, at), ...repeated];
      }),
    ];
  });
  const binders = extenders.filter(({ bindVerb }) => bindVerb).length;
  if (binders > 1)
    faults.push(
      invalidValue('extenders', `found ${binders} extenders implementing bind`, 'only one extender can implement bind'),
    );
  return faults;
}

function urlFaults({ urlPrefix = '', httpTimeout = '0' }: GivenExtender, path: string): FieldError[] {
  const isUrl = /^https?:\/\//.test(urlPrefix) && URL.canParse(urlPrefix);
  return [
    ...(isUrl
      ? []
      : [invalidValue(`${path}.urlPrefix`, urlPrefix, 'must be a URL that begins with http:// or https://')]),
    ...((parseDuration(httpTimeout) ?? -1) < 0
      ? [invalidValue(`${path}.httpTimeout`, httpTimeout, 'must be a duration, such as 5s')]
      : []),
  ];
}

function resourceFaults(name: string, path: string): FieldError[] {
  const faults = invalidValues(path, name, qualifiedNameFaults(name));
  if (faults.length > 0) return faults;
  return isExtendedResource(name) ? [] : [invalidValue(path, name, 'is an invalid extended resource name')];
}

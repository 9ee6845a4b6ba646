import { parseIp } from '../../../machinery/ip.ts';
import {
  dns1123LabelFaults,
  dns1123SubdomainFaults,
  pathSegmentFaults,
  portNameFaults,
  portNumberFaults,
  wildcardDns1123SubdomainFaults,
} from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, invalidValues, notSupported, required } from '../../fields.ts';
import type { HTTPIngressPath, Ingress, IngressBackend, IngressRule } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { ingressAddressWarnings, legacyIp } from '../../validation/network.ts';
import { each, given, needed, type Rule, set, struct, text } from '../../validation/rules.ts';
import { none } from '../cells.ts';

const shownHosts = 3;

export const ingress: KindBehaviour<Ingress> = {
  storagePrefix: 'ingress',
  hasGeneration: true,
  emptyFields: 'validated',
  cells: {
    Class: (i) => i.spec?.ingressClassName ?? none,
    Hosts: (i) => {
      const hosts = (i.spec?.rules ?? []).slice(0, shownHosts).map(({ host }) => host || '*');
      const more = (i.spec?.rules?.length ?? 0) - shownHosts;
      return `${hosts.join(',') || '*'}${more > 0 ? ` + ${more} more...` : ''}`;
    },
    Address: (i) => {
      const addresses = (i.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip || hostname || []);
      return [...new Set(addresses)].sort().join(',');
    },
    Ports: (i) => (i.spec?.tls?.length ? '80, 443' : '80'),
  },
  strategy: {
    metadataOnUpdate: ['change', 'whole'],
    validate: (i) => [...validate(i), ...validateClassAnnotation(i)],
    validateUpdate: validate,
    warnings: (i, old) =>
      !old && hasClassAnnotation(i) && i.spec?.ingressClassName === undefined
        ? [`annotation ${JSON.stringify(classAnnotation)} is deprecated, please use 'spec.ingressClassName' instead`]
        : [],
    subresources: { status: { validateUpdate: validateStatus, warnings: ingressAddressWarnings } },
  },
};

const classAnnotation = 'kubernetes.io/ingress.class';
const hasClassAnnotation = (i: Ingress) => i.metadata.annotations?.[classAnnotation] !== undefined;

function validateClassAnnotation(i: Ingress): FieldError[] {
  const named = i.metadata.annotations?.[classAnnotation];
  const { ingressClassName } = i.spec ?? {};
  if (named === undefined || ingressClassName === undefined || named === ingressClassName) return [];
  const why = 'must match `ingressClassName` when both are specified';
  return [invalidValue(`annotations.${classAnnotation}`, named, why)];
}

/** Some rules were looser once: an older object may go on breaking them. */
function validate(i: Ingress, old?: Ingress): FieldError[] {
  const { rules, defaultBackend, tls, ingressClassName } = i.spec ?? {};
  const looseHosts = (old?.spec?.rules ?? []).some(
    (rule) => rule.host?.includes('*') && validateHttp(rule, 'spec').length,
  );
  const looseSecrets = (old?.spec?.tls ?? []).some((entry) => secretName(entry.secretName, '').length);
  return [
    ...(!rules?.length && !defaultBackend
      ? [invalidValue('spec', rules ?? null, 'either `defaultBackend` or `rules` must be specified')]
      : []),
    ...(defaultBackend ? validateBackend(defaultBackend, 'spec.defaultBackend') : []),
    ...(rules ?? []).flatMap((rule, index) => {
      const path = `spec.rules[${index}]`;
      return [
        ...(rule.host ? validateHost(rule.host, `${path}.host`) : []),
        ...(rule.host?.includes('*') && looseHosts ? [] : validateHttp(rule, path)),
      ];
    }),
    ...(tls ?? []).flatMap((entry, index) => [
      ...each(tlsHost)(entry.hosts, `spec.tls[${index}].hosts`),
      ...(looseSecrets ? [] : secretName(entry.secretName, `spec.tls[${index}].secretName`)),
    ]),
    ...set(subdomain)(ingressClassName, 'spec.ingressClassName'),
  ];
}

const subdomain = text(dns1123SubdomainFaults);
const secretName = given(subdomain);
const tlsHost: Rule = (host: string, path) =>
  (host.includes('*') ? text(wildcardDns1123SubdomainFaults) : subdomain)(host, path);

const validateHost = (host: string, path: string): FieldError[] => [
  ...(parseIp(host) ? [invalidValue(path, host, 'must be a DNS name, not an IP address')] : []),
  ...tlsHost(host, path),
];

function validateHttp({ http }: IngressRule, path: string): FieldError[] {
  if (!http) return [];
  const at = `${path}.http.paths`;
  return http.paths?.length ? [...each(validatePath)(http.paths, at)] : [required(at)];
}

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'];

const validatePath: Rule = ({ pathType, path = '', backend }: HTTPIngressPath, at) => {
  const type = pathType as string | undefined | null;
  if (type === undefined || type === null) return [required(`${at}.pathType`, 'pathType must be specified')];
  return [
    ...(pathTypes.includes(type)
      ? pathFaults(type, path).map((why) => invalidValue(`${at}.path`, path, why))
      : [notSupported(`${at}.pathType`, type, pathTypes)]),
    ...validateBackend(backend ?? {}, `${at}.backend`),
  ];
};

function pathFaults(type: string, path: string): string[] {
  const faults = path.startsWith('/') ? [] : ['must be an absolute path'];
  if (type === 'ImplementationSpecific') return path ? faults : [];
  return [
    ...faults,
    ...['//', '/./', '/../', '%2f', '%2F']
      .filter((part) => path.includes(part))
      .map((part) => `must not contain '${part}'`),
    ...['/..', '/.'].filter((end) => path.endsWith(end)).map((end) => `cannot end with '${end}'`),
  ];
}

const segment = needed(text(pathSegmentFaults));
const resourceReference = struct({ apiGroup: set(subdomain), kind: segment, name: segment });
const serviceName = needed(text(dns1123LabelFaults));

function validateBackend({ service, resource }: IngressBackend, path: string): FieldError[] {
  if (service && resource) return [invalidValue(path, '', 'cannot set both resource and service backends')];
  if (resource) return [...resourceReference(resource, `${path}.resource`)];
  if (!service) return [invalidValue(path, '', 'resource or service backend is required')];
  const errors = [...serviceName(service.name, `${path}.service.name`)];
  const { name, number } = service.port ?? {};
  const at = `${path}.service.port`;
  if (name && number) errors.push(invalidValue(path, '', 'cannot set both port name & port number'));
  else if (name) errors.push(...invalidValues(`${at}.name`, name, portNameFaults(name)));
  else if (number) errors.push(...invalidValues(`${at}.number`, number, portNumberFaults(number)));
  else errors.push(required(path, 'port name or number is required'));
  return errors;
}

function validateStatus(next: Ingress, old: Ingress): FieldError[] {
  const before = new Set((old.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? ''));
  return (next.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }, index) => {
    const path = `status.loadBalancer.ingress[${index}]`;
    return [
      ...(ip ? legacyIp(`${path}.ip`, ip, before) : []),
      ...given(subdomain)(hostname, `${path}.hostname`),
      ...(hostname && parseIp(hostname)
        ? [invalidValue(`${path}.hostname`, hostname, 'must be a DNS name, not an IP address')]
        : []),
    ];
  });
}

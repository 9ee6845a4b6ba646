import {
  dns1035LabelFaults,
  dns1123SubdomainFaults,
  pathSegmentFaults,
  portNumberFaults,
} from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, invalidValues, required } from '../../fields.ts';
import type { APIService } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { conditionOf } from '../../objects/conditions.ts';
import { nameRule } from '../../validation/metadata.ts';
import { each, oneOfThese, struct } from '../../validation/rules.ts';
import { keepMetadata } from '../keep-metadata.ts';

export const apiService: KindBehaviour<APIService> = {
  storagePrefix: 'apiregistration.k8s.io/apiservices',
  cells: {
    Service: (s) => (s.spec?.service ? `${s.spec.service.namespace}/${s.spec.service.name}` : 'Local'),
    Available: (s) => {
      const available = conditionOf(s, 'Available');
      if (!available) return 'Unknown';
      return available.status === 'True' ? 'True' : `${available.status} (${available.reason})`;
    },
  },
  strategy: {
    plainFinalizers: true,
    setDefaults(s) {
      if (s.spec?.service) s.spec.service.port ??= 443;
    },
    prepareForCreate(s) {
      // An API that this server answers itself is available at once.
      if (!s.spec?.service)
        s.status = {
          conditions: [
            {
              type: 'Available',
              status: 'True',
              lastTransitionTime: s.metadata.creationTimestamp,
              reason: 'Local',
              message: 'Local APIServices are always available',
            },
          ],
        };
    },
    allowUnconditionalUpdate: false,
    nameRule: nameRule(pathSegmentFaults),
    metadataOnUpdate: ['change', 'whole'],
    validate,
    subresources: {
      status: {
        resetFields: [['metadata']],
        prepareForUpdate: keepMetadata,
        validateUpdate: ({ status }) => each(condition)(status?.conditions, 'status.conditions'),
      },
    },
  },
};

const condition = struct({ status: oneOfThese('True', 'False', 'Unknown') });

/** Kubernetes holds generateName to the rule of the name too. */
function validate({ metadata, spec }: APIService): FieldError[] {
  const { group = '', version = '', groupPriorityMinimum = 0, versionPriority = 0 } = spec ?? {};
  const wanted = `${version}.${group}`;
  return [
    ...(['generateName', 'name'] as const).flatMap((field) => {
      const value = metadata[field];
      const why = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`;
      return value && value !== wanted && !pathSegmentFaults(value).length
        ? [invalidValue(`metadata.${field}`, value, why)]
        : [];
    }),
    ...(!group && version !== 'v1'
      ? [required('spec.group', 'only v1 may have an empty group and it better be legacy kube')]
      : []),
    ...(group ? invalidValues('spec.group', group, dns1123SubdomainFaults(group)) : []),
    ...invalidValues('spec.version', version, dns1035LabelFaults(version)),
    ...validatePriority('spec.groupPriorityMinimum', groupPriorityMinimum, 20_000),
    ...validatePriority('spec.versionPriority', versionPriority, 1000),
    ...validateService(spec),
  ];
}

const validatePriority = (path: string, value: number, most: number): FieldError[] =>
  value <= 0 || value > most ? [invalidValue(path, value, `must be positive and less than ${most}`)] : [];

function validateService(spec: APIService['spec']): FieldError[] {
  const { service, caBundle = '', insecureSkipTLSVerify } = spec ?? {};
  const insecure = 'spec.insecureSkipTLSVerify';
  if (!service)
    return [
      ...(caBundle
        ? [invalidValue('spec.caBundle', `${atob(caBundle).length} bytes`, 'local APIServices may not have a caBundle')]
        : []),
      ...(insecureSkipTLSVerify
        ? [invalidValue(insecure, true, 'local APIServices may not have insecureSkipTLSVerify')]
        : []),
    ];
  const faults = portNumberFaults(service.port ?? 0);
  return [
    ...(service.namespace ? [] : [required('spec.service.namespace')]),
    ...(service.name ? [] : [required('spec.service.name')]),
    ...(faults.length
      ? [invalidValue('spec.service.port', service.port, `port is not valid: ${faults.join(', ')}`)]
      : []),
    ...(insecureSkipTLSVerify && caBundle
      ? [invalidValue(insecure, true, 'may not be true if caBundle is present')]
      : []),
  ];
}

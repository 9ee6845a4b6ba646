// Dynamic resource allocation: classes, claims, templates of claims and what drivers offer.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/

import { dns1123LabelFaults, dns1123SubdomainFaults } from '../../../machinery/names.ts';
import { deviceSelectorFaults } from '../../cel/device-selectors.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, invalidValues, oneOf, required, unchanged } from '../../fields.ts';
import type {
  DeviceClass,
  ResourceClaimTemplate,
  ResourceSlice,
  ResourceV1ResourceClaim,
} from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';

export const deviceClass: KindBehaviour<DeviceClass> = {
  hasGeneration: true,
  strategy: { validate: ({ spec }) => selectorFaults(spec?.selectors, 'spec.selectors') },
};

function defaultClaim(spec: any): void {
  for (const request of spec?.devices?.requests ?? [])
    for (const part of [request.exactly, ...(request.firstAvailable ?? [])]) {
      if (!part) continue;
      part.allocationMode ??= 'ExactCount';
      if (part.allocationMode === 'ExactCount') part.count ??= 1;
      for (const toleration of part.tolerations ?? []) toleration.operator ??= 'Equal';
    }
}

function validateClaim(spec: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  for (const [index, request] of (spec?.devices?.requests ?? []).entries()) {
    const at = `${path}.devices.requests[${index}]`;
    if (!request.name) errors.push(required(`${at}.name`));
    else errors.push(...invalidValues(`${at}.name`, request.name, dns1123LabelFaults(request.name)));
    if (names.has(request.name)) errors.push(duplicate(`${at}.name`, request.name));
    names.add(request.name);
    const given = [request.exactly, request.firstAvailable?.length ? request.firstAvailable : undefined].filter(
      Boolean,
    );
    if (given.length !== 1) errors.push(required(at, 'exactly one of `exactly` or `firstAvailable` is required'));
    else if (request.exactly) errors.push(...validateRequest(request.exactly, `${at}.exactly`));
    else
      for (const [i, sub] of request.firstAvailable.entries())
        errors.push(...validateRequest(sub, `${at}.firstAvailable[${i}]`));
  }
  return errors;
}

function selectorFaults(selectors: readonly any[] = [], path: string): FieldError[] {
  return selectors.flatMap(({ cel }, index) => {
    const at = `${path}[${index}].cel`;
    return cel ? deviceSelectorFaults(cel.expression ?? '', `${at}.expression`) : [required(at)];
  });
}

function validateRequest(request: any, path: string): FieldError[] {
  const name = request.deviceClassName;
  return [
    ...(name
      ? invalidValues(`${path}.deviceClassName`, name, dns1123SubdomainFaults(name))
      : [required(`${path}.deviceClassName`)]),
    ...selectorFaults(request.selectors, `${path}.selectors`),
    ...oneOf(`${path}.allocationMode`, request.allocationMode, ['All', 'ExactCount']),
  ];
}

export const resourceClaim: KindBehaviour<ResourceV1ResourceClaim> = {
  cells: {
    State: (c) => {
      const states = [
        ...(c.metadata.deletionTimestamp ? ['deleted'] : []),
        ...(c.status?.allocation ? ['allocated'] : []),
        ...(c.status?.reservedFor?.length ? ['reserved'] : []),
      ];
      return c.status?.allocation || states.length ? states.join(',') : 'pending';
    },
  },
  strategy: {
    setDefaults: (c) => defaultClaim(c.spec),
    validate: (c) => validateClaim(c.spec, 'spec'),
    validateUpdate: (next, old) => unchanged('spec', next.spec, old.spec),
  },
};

export const resourceClaimTemplate: KindBehaviour<ResourceClaimTemplate> = {
  strategy: {
    setDefaults: (t) => defaultClaim(t.spec?.spec),
    validate: (t) => validateClaim(t.spec?.spec, 'spec.spec'),
    validateUpdate: (next, old) => unchanged('spec', next.spec, old.spec),
  },
};

export const resourceSlice: KindBehaviour<ResourceSlice> = {
  hasGeneration: true,
  cells: {
    Node: (s) => s.spec.nodeName || '<none>',
    Driver: (s) => s.spec.driver,
    Pool: (s) => s.spec.pool?.name ?? '',
  },
  selectableFields: { 'spec.nodeName': (s) => s.spec.nodeName ?? '', 'spec.driver': (s) => s.spec.driver },
  strategy: {
    validate: validateSlice,
    validateUpdate: (next, old) => [
      ...validateSlice(next),
      ...unchanged('spec.driver', next.spec.driver, old.spec.driver),
    ],
  },
};

function validateSlice({ spec }: ResourceSlice): FieldError[] {
  return [...(spec.driver ? [] : [required('spec.driver')]), ...(spec.pool?.name ? [] : [required('spec.pool.name')])];
}

// Dynamic resource allocation: device classes, claims, claim templates and slices.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/

import { canonical } from '../../decode.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, sameValue, unchangedInternal } from '../../fields.ts';
import type {
  AllocatedDeviceStatus,
  DeviceClass,
  ResourceClaimSpec,
  ResourceClaimTemplate,
  ResourceSlice,
  ResourceV1ResourceClaim,
} from '../../generated/types.ts';
import { internal, sameInternal } from '../../internal.ts';
import type { KindBehaviour, StrategyContext } from '../../kind.ts';
import { schemaNamed } from '../../schemas.ts';
import { formatTime } from '../../time.ts';
import { mostConfigurations, validateDeviceClaim } from '../../validation/devices/claim.ts';
import { validateClaimStatus } from '../../validation/devices/claim-status.ts';
import { configuration, listOf, selectors } from '../../validation/devices/shared.ts';
import { validateSlice } from '../../validation/devices/slice.ts';
import { declaredNames, validateOwnedMeta } from '../../validation/metadata.ts';
import { isExtendedResource } from '../../validation/resource-names.ts';
import { keepMetadata } from '../keep-metadata.ts';

export const deviceClass: KindBehaviour<DeviceClass> = {
  answersDeleted: true,
  hasGeneration: true,
  strategy: {
    nameRule: declaredNames,
    metadataOnUpdate: ['whole', 'change'],
    validate: (c) => validateClass(c),
    validateUpdate: (next, old) => validateClass(next, old),
  },
};

function validateClass({ spec }: DeviceClass, old?: DeviceClass): FieldError[] {
  const name = spec?.extendedResourceName;
  const isStored = old !== undefined && sameValue(spec?.config ?? [], old.spec?.config ?? []);
  return [
    ...selectors(spec?.selectors, 'spec.selectors'),
    ...listOf(mostConfigurations, configuration(isStored))(spec?.config, 'spec.config'),
    ...(name !== undefined && !isExtendedResource(name)
      ? [invalidValue('spec.extendedResourceName', name, 'must be a valid extended resource name')]
      : []),
  ];
}

function defaultClaim(spec: ResourceClaimSpec | undefined): void {
  for (const request of spec?.devices?.requests ?? [])
    for (const part of [request.exactly, ...(request.firstAvailable ?? [])]) {
      if (!part) continue;
      part.allocationMode ||= 'ExactCount';
      if (part.allocationMode === 'ExactCount') part.count ||= 1;
      for (const toleration of part.tolerations ?? []) toleration.operator ??= 'Equal';
    }
}

const claimSpec = ({ spec }: ResourceV1ResourceClaim) => internal('resource.ResourceClaimSpec', spec);

export const resourceClaim: KindBehaviour<ResourceV1ResourceClaim> = {
  answersDeleted: true,
  emptyFields: 'validated',
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
    metadataOnUpdate: ['whole', 'change'],
    validate: (c) => validateDeviceClaim(c.spec, 'spec'),
    validateUpdate: (next, old) => unchangedInternal('spec', claimSpec(next), claimSpec(old)),
    subresources: {
      status: {
        resetFields: [['metadata']],
        prepareForUpdate(next, old) {
          keepMetadata(next, old);
          dropDeallocated(next, old);
        },
        validateUpdate: validateClaimStatus,
      },
    },
  },
};

/** Devices that are no longer allocated lose their status. */
function dropDeallocated({ status }: ResourceV1ResourceClaim, old: ResourceV1ResourceClaim): void {
  if (!status?.devices) return;
  const id = ({ driver, pool, device, shareID }: AllocatedDeviceStatus) =>
    JSON.stringify([driver, pool, device, shareID]);
  const now = new Set((status.allocation?.devices?.results ?? []).map(id));
  const gone = new Set((old.status?.allocation?.devices?.results ?? []).map(id).filter((one) => !now.has(one)));
  status.devices = status.devices.filter((device) => !gone.has(id(device)));
}

/** Metadata is printed as it is published: without empty fields. */
function templateSpec({ spec }: ResourceClaimTemplate): unknown {
  const metadata = canonical(schemaNamed('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'), spec?.metadata ?? {});
  return internal('resource.ResourceClaimTemplateSpec', { ...spec, metadata });
}

export const resourceClaimTemplate: KindBehaviour<ResourceClaimTemplate> = {
  answersDeleted: true,
  emptyFields: 'validated',
  strategy: {
    setDefaults: (t) => defaultClaim(t.spec?.spec),
    metadataOnUpdate: ['whole', 'change'],
    validate: (t) => validateTemplate(t),
    validateUpdate: (next, old) => [
      ...validateTemplate(next),
      ...unchangedInternal('spec', templateSpec(next), templateSpec(old)),
    ],
  },
};

const validateTemplate = ({ spec }: ResourceClaimTemplate): FieldError[] => [
  ...validateOwnedMeta(spec?.metadata, 'spec.metadata'),
  ...validateDeviceClaim(spec?.spec, 'spec.spec'),
];

export const resourceSlice: KindBehaviour<ResourceSlice> = {
  answersDeleted: true,
  watchedBy: 'spec.nodeName',
  literalFields: ['spec.nodeName'],
  hasGeneration: true,
  emptyFields: 'validated',
  cells: {
    Node: (s) => s.spec.nodeName || '<none>',
    Driver: (s) => s.spec.driver,
    Pool: (s) => s.spec.pool?.name ?? '',
  },
  selectableFields: { 'spec.nodeName': (s) => s.spec.nodeName ?? '', 'spec.driver': (s) => s.spec.driver },
  strategy: {
    prepareForCreate: prepareSlice,
    prepareForUpdate(next, old, context) {
      // Fields of disabled features count as a change, although they are dropped.
      if (!sameInternal('resource.ResourceSliceSpec', next.spec, old.spec))
        next.metadata.generation = (old.metadata.generation ?? 0) + 1;
      prepareSlice(next, context);
    },
    validate: (s) => validateSlice(s),
    validateUpdate: (next, old) => validateSlice(next, old),
    warnings: ({ spec: { driver } }) =>
      driver === driver.toLowerCase()
        ? []
        : [`spec.driver: driver names should be lowercase; ${JSON.stringify(driver)} contains uppercase characters`],
  },
};

/** Drops fields of disabled features; sets the time of taints. */
function prepareSlice({ spec }: ResourceSlice, { now }: StrategyContext): void {
  const time = formatTime(now);
  for (const device of spec.devices ?? []) {
    for (const taint of device.taints ?? []) taint.timeAdded ??= time;
    delete device.nodeAllocatableResourceMappings;
    for (const attribute of Object.values(device.attributes ?? {}))
      for (const list of ['bools', 'ints', 'strings', 'versions'] as const) delete attribute[list];
  }
}

// CSIDriver, CSINode and CSIStorageCapacity.
// https://kubernetes.io/docs/concepts/storage/volumes/#csi

import { compareQuantities } from '../../../machinery/quantity.ts';
import { byteLength, dns1123SubdomainFaults, qualifiedNameFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, invalidValue, invalidValues, required, sameValue, unchanged } from '../../fields.ts';
import type { CSIDriver, CSIDriverSpec, CSINode, CSIStorageCapacity } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import type { KindBehaviour } from '../../kind.ts';
import { sameStored } from '../../strategy.ts';
import { nodeSelectorWarnings } from '../../validation/node-labels.ts';
import { atLeast, need, notNegative, oneOfThese, type Rule, set, struct } from '../../validation/rules.ts';
import { validateLabelSelector } from '../../validation/selector.ts';
import { csiDriverName } from '../../validation/volume-sources.ts';
import { listOr, unset } from '../cells.ts';

export const csiDriver: KindBehaviour<CSIDriver> = {
  answersDeleted: true,
  cells: {
    AttachRequired: (d) => d.spec.attachRequired ?? true,
    PodInfoOnMount: (d) => d.spec.podInfoOnMount ?? false,
    StorageCapacity: (d) => d.spec.storageCapacity ?? false,
    TokenRequests: (d) =>
      listOr(
        d.spec.tokenRequests?.map(({ audience }) => audience),
        unset,
      ),
    RequiresRepublish: (d) => d.spec.requiresRepublish ?? false,
    Modes: (d) => listOr(d.spec.volumeLifecycleModes),
  },
  strategy: {
    setDefaults(d) {
      d.spec ??= {};
      d.spec.attachRequired ??= true;
      d.spec.podInfoOnMount ??= false;
      d.spec.storageCapacity ??= false;
      d.spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
      if (!d.spec.volumeLifecycleModes?.length) d.spec.volumeLifecycleModes = ['Persistent'];
      d.spec.requiresRepublish ??= false;
      d.spec.seLinuxMount ??= false;
    },
    allowUnconditionalUpdate: false,
    prepareForCreate: dropDisabled,
    prepareForUpdate(next, old) {
      dropDisabled(next);
      if (!sameStored('storage.k8s.io', 'CSIDriver', { spec: next.spec }, { spec: old.spec }))
        next.metadata.generation = (old.metadata.generation ?? 0) + 1;
    },
    warnings: (d, old) =>
      d.spec.tokenRequests?.length &&
      d.spec.serviceAccountTokenInSecrets === undefined &&
      !(old && sameValue(d.spec.tokenRequests, old.spec.tokenRequests ?? []))
        ? [
            'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes',
          ]
        : [],
    validate: (d) => driverSpec(d.spec, 'spec'),
    validateUpdate: (next, old) => [
      ...driverSpec(next.spec, 'spec'),
      ...unchanged('spec.attachedRequired', next.spec.attachRequired, old.spec.attachRequired),
      ...unchanged('spec.volumeLifecycleModes', next.spec.volumeLifecycleModes, old.spec.volumeLifecycleModes),
    ],
  },
};

/** Scaling of limits is behind a feature gate that is off. */
function dropDisabled({ spec }: CSIDriver): void {
  delete (spec as { preventPodSchedulingIfMissing?: boolean }).preventPodSchedulingIfMissing;
}

const shortestTokenS = 600;
const longestTokenS = 2 ** 32;

const token = struct({
  expirationSeconds: (seconds: number | undefined, path) => {
    if (seconds === undefined) return [];
    if (seconds < shortestTokenS)
      return [invalidValue(path, seconds, 'may not specify a duration less than 10 minutes')];
    return seconds > longestTokenS
      ? [invalidValue(path, seconds, 'may not specify a duration larger than 2^32 seconds')]
      : [];
  },
});

/** Of tokens for the same audience only the first is looked at. */
const tokens: Rule = (requests: readonly { audience?: string }[] | undefined, path) => {
  const seen = new Set<string>();
  return (requests ?? []).flatMap((request, index) => {
    const { audience = '' } = request;
    if (seen.has(audience)) return [duplicate(`${path}[${index}].audience`, audience)];
    seen.add(audience);
    return token(request, `${path}[${index}]`);
  });
};

const driverSpec = struct({
  fsGroupPolicy: oneOfThese('File', 'None', 'ReadWriteOnceWithFSType'),
  tokenRequests: tokens,
  volumeLifecycleModes: (modes: readonly string[] | undefined, path) =>
    (modes ?? []).flatMap((mode) => oneOfThese('Persistent', 'Ephemeral')(mode, path)),
  nodeAllocatableUpdatePeriodSeconds: set(atLeast(10, 'must be greater than or equal to 10 seconds')),
  serviceAccountTokenInSecrets: (value, path, { tokenRequests }: CSIDriverSpec) =>
    value === undefined || tokenRequests?.length
      ? []
      : [invalidValue(path, value, 'serviceAccountTokenInSecrets is set but no tokenRequests are specified')],
});

const mostNodeIdBytes = 256;

export const csiNode: KindBehaviour<CSINode> = {
  answersDeleted: true,
  cells: { Drivers: (n) => n.spec?.drivers?.length ?? 0 },
  strategy: {
    allowUnconditionalUpdate: false,
    metadataOnUpdate: ['whole'],
    validate: validateNode,
    validateUpdate: (next, old) => {
      const drivers = new Map((next.spec.drivers ?? []).map((driver) => [driver.name, driver]));
      return [
        ...validateNode(next),
        ...(old.spec.drivers ?? []).flatMap((before) => {
          const driver = drivers.get(before.name);
          return driver ? unchanged('spec.drivers', fixedPart(driver), fixedPart(before)) : [];
        }),
      ];
    },
  },
};

type Driver = NonNullable<CSINode['spec']['drivers']>[number];

/** How much a node takes may change. */
const fixedPart = ({ allocatable: _, ...driver }: Driver) => internal('storage.CSINodeDriver', driver);

const driverRules = struct({
  name: csiDriverName,
  nodeID: [
    need(),
    (id: string | undefined, path) =>
      byteLength(id ?? '') > mostNodeIdBytes
        ? [invalidValue(path, id, `must be ${mostNodeIdBytes} characters or less`)]
        : [],
  ],
  allocatable: struct({ count: notNegative }),
});

function validateNode({ spec }: CSINode): FieldError[] {
  const names = new Set<string>();
  return (spec.drivers ?? []).flatMap((driver, index) => {
    const path = `spec.drivers[${index}]`;
    const { name = '', topologyKeys } = driver;
    const errors = [...driverRules(driver, path)];
    if (names.has(name)) errors.push(duplicate(`${path}.name`, name));
    names.add(name);
    const seen = new Set<string>();
    for (const key of topologyKeys ?? []) {
      if (!key) errors.push(required(path, key));
      if (seen.has(key)) errors.push(duplicate(path, key));
      seen.add(key);
      errors.push(...invalidValues(path, key, qualifiedNameFaults(key)));
    }
    return errors;
  });
}

export const csiStorageCapacity: KindBehaviour<CSIStorageCapacity> = {
  strategy: {
    allowUnconditionalUpdate: false,
    metadataOnUpdate: ['whole', 'change'],
    validate: validateCapacity,
    validateUpdate: (next, old) => [
      ...validateCapacity(next),
      ...unchanged('nodeTopology', next.nodeTopology, old.nodeTopology),
      ...unchanged('storageClassName', next.storageClassName ?? '', old.storageClassName ?? ''),
    ],
    warnings: (c) => nodeSelectorWarnings(c.nodeTopology, 'nodeTopology'),
  },
};

function validateCapacity(c: CSIStorageCapacity): FieldError[] {
  const { nodeTopology, storageClassName = '', capacity } = c;
  return [
    ...validateLabelSelector(nodeTopology, 'nodeTopology'),
    ...invalidValues('storageClassName', storageClassName, dns1123SubdomainFaults(storageClassName)),
    ...(capacity !== undefined && compareQuantities(capacity as string, 0) < 0
      ? [invalidValue('capacity', capacity, 'must be greater than or equal to 0')]
      : []),
  ];
}

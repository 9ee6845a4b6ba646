// What CSI drivers say of themselves, of nodes, of capacity and of attachments: small kinds that belong together.
// https://kubernetes.io/docs/concepts/storage/volumes/#csi

import { oneOf, required, unchanged } from '../../fields.ts';
import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  VolumeAttachment,
  VolumeAttributesClass,
} from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { listOr, unset } from '../cells.ts';

export const csiDriver: KindBehaviour<CSIDriver> = {
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
      d.spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType' as any;
      if (!d.spec.volumeLifecycleModes?.length) d.spec.volumeLifecycleModes = ['Persistent'] as any;
      d.spec.requiresRepublish ??= false;
      d.spec.seLinuxMount ??= false;
    },
    warnings: (d) =>
      d.spec.tokenRequests?.length && d.spec.serviceAccountTokenInSecrets === undefined
        ? [
            'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes',
          ]
        : [],
    validate: (d) => [
      ...oneOf('spec.fsGroupPolicy', d.spec.fsGroupPolicy, ['File', 'None', 'ReadWriteOnceWithFSType']),
      ...(d.spec.volumeLifecycleModes ?? []).flatMap((mode) =>
        oneOf('spec.volumeLifecycleModes', mode, ['Persistent', 'Ephemeral']),
      ),
    ],
    validateUpdate: (next, old) => [
      ...unchanged('spec.attachRequired', next.spec.attachRequired, old.spec.attachRequired),
      ...unchanged('spec.volumeLifecycleModes', next.spec.volumeLifecycleModes, old.spec.volumeLifecycleModes),
    ],
  },
};

export const csiNode: KindBehaviour<CSINode> = {
  cells: { Drivers: (n) => n.spec?.drivers?.length ?? 0 },
  strategy: {
    validate: (n) =>
      (n.spec.drivers ?? []).flatMap((driver, i) => [
        ...(driver.name ? [] : [required(`spec.drivers[${i}].name`)]),
        ...(driver.nodeID ? [] : [required(`spec.drivers[${i}].nodeID`)]),
      ]),
  },
};

export const csiStorageCapacity: KindBehaviour<CSIStorageCapacity> = {
  strategy: {
    validate: (c) => (c.storageClassName ? [] : [required('storageClassName')]),
    validateUpdate: (next, old) => [
      ...unchanged('nodeTopology', next.nodeTopology, old.nodeTopology),
      ...unchanged('storageClassName', next.storageClassName, old.storageClassName),
    ],
  },
};

export const volumeAttachment: KindBehaviour<VolumeAttachment> = {
  cells: {
    Attacher: (a) => a.spec.attacher,
    PV: (a) => a.spec.source.persistentVolumeName ?? '',
    Node: (a) => a.spec.nodeName,
    Attached: (a) => a.status?.attached ?? false,
  },
  strategy: {
    validate: (a) => [
      ...(a.spec.attacher ? [] : [required('spec.attacher')]),
      ...(a.spec.nodeName ? [] : [required('spec.nodeName')]),
      ...(a.spec.source.persistentVolumeName || a.spec.source.inlineVolumeSpec
        ? []
        : [required('spec.source', 'must specify exactly one of inlineVolumeSpec and persistentVolumeName')]),
    ],
    validateUpdate: (next, old) => unchanged('spec', next.spec, old.spec),
  },
};

export const volumeAttributesClass: KindBehaviour<VolumeAttributesClass> = {
  cells: { DriverName: (c) => c.driverName },
  strategy: {
    validate: (c) => (c.driverName ? [] : [required('driverName')]),
    validateUpdate: (next, old) => [
      ...unchanged('driverName', next.driverName, old.driverName),
      ...unchanged('parameters', next.parameters, old.parameters),
    ],
  },
};

import { qualifiedNameFaults } from '../../../machinery/names.ts';
import { invalidValues, oneOf, required, unchanged } from '../../fields.ts';
import type { StorageClass } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';

const isDefault = (c: StorageClass) =>
  c.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true' ||
  c.metadata.annotations?.['storageclass.beta.kubernetes.io/is-default-class'] === 'true';

export const storageClass: KindBehaviour<StorageClass> = {
  cells: {
    Name: (c) => `${c.metadata.name}${isDefault(c) ? ' (default)' : ''}`,
    Provisioner: (c) => c.provisioner,
    ReclaimPolicy: (c) => c.reclaimPolicy ?? 'Delete',
    VolumeBindingMode: (c) => c.volumeBindingMode ?? '<unset>',
    AllowVolumeExpansion: (c) => c.allowVolumeExpansion ?? false,
  },
  strategy: {
    setDefaults(c) {
      c.reclaimPolicy ??= 'Delete';
      c.volumeBindingMode ??= 'Immediate';
    },
    validate: (c) => [
      ...(c.provisioner
        ? invalidValues('provisioner', c.provisioner, qualifiedNameFaults(c.provisioner.toLowerCase()))
        : [required('provisioner')]),
      ...oneOf('reclaimPolicy', c.reclaimPolicy, ['Delete', 'Retain']),
      ...oneOf('volumeBindingMode', c.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']),
    ],
    validateUpdate: (next, old) => [
      ...unchanged('parameters', next.parameters, old.parameters),
      ...unchanged('provisioner', next.provisioner, old.provisioner),
      ...unchanged('reclaimPolicy', next.reclaimPolicy, old.reclaimPolicy),
      ...unchanged('volumeBindingMode', next.volumeBindingMode, old.volumeBindingMode),
    ],
  },
};

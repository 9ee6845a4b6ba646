import { dns1123LabelFaults, qualifiedNameFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, invalidValues } from '../../fields.ts';
import type { Namespace } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { kubeFinalizerFaults, nameRule } from '../../validation/metadata.ts';

/** Set on every namespace, so that selectors can match it by name. */
const nameLabel = 'kubernetes.io/metadata.name';

export const namespace: KindBehaviour<Namespace> = {
  isNamespace: true,
  cells: { Status: (ns) => ns.status?.phase ?? '' },
  selectableFields: {
    'status.phase': (ns) => ns.status?.phase ?? '',
  },
  strategy: {
    nameRule: nameRule(dns1123LabelFaults),
    setDefaults(ns) {
      if (ns.metadata.name) ns.metadata.labels = { ...ns.metadata.labels, [nameLabel]: ns.metadata.name };
      ns.status ??= {};
      ns.status.phase ||= 'Active';
    },
    prepareForCreate(ns) {
      // A generated name exists only now.
      if (ns.metadata.name) ns.metadata.labels = { ...ns.metadata.labels, [nameLabel]: ns.metadata.name };
      ns.spec ??= {};
      const finalizers = (ns.spec.finalizers ??= []);
      if (!finalizers.includes('kubernetes')) finalizers.push('kubernetes');
      ns.status = { phase: 'Active' };
    },
    prepareForUpdate(next, old) {
      next.spec = { ...next.spec, finalizers: old.spec?.finalizers };
    },
    validate: (ns) => (ns.spec?.finalizers ?? []).flatMap((name) => validateFinalizer(name, 'spec.finalizers')),
    metadataOnUpdate: ['whole', 'change'],
    // Deleted when empty: then the namespace controller removes the finalizer.
    isHeld: (ns) => !!ns.spec?.finalizers?.length,
    prepareForDelete(next) {
      next.status = { ...next.status, phase: 'Terminating' };
      delete next.metadata.deletionGracePeriodSeconds;
    },
    subresources: {
      status: {
        validateUpdate(next, old) {
          const phase = next.status?.phase;
          const going = Boolean(old.metadata.deletionTimestamp);
          if (!going && phase !== 'Active')
            return [invalidValue('status.Phase', phase, "may only be 'Active' if `deletionTimestamp` is empty")];
          if (going && phase !== 'Terminating')
            return [
              invalidValue('status.Phase', phase, "may only be 'Terminating' if `deletionTimestamp` is not empty"),
            ];
          return [];
        },
      },
      finalize: {
        resetFields: [['status']],
        prepareForUpdate(next, old) {
          const finalizers = next.spec?.finalizers;
          next.spec = { ...old.spec };
          if (finalizers?.length) next.spec.finalizers = finalizers;
          else delete next.spec.finalizers;
          next.status = old.status;
        },
        validateUpdate: (ns: Namespace) =>
          (ns.spec?.finalizers ?? []).flatMap((name, index) => validateFinalizer(name, `spec.finalizers[${index}]`)),
      },
    },
  },
};

const validateFinalizer = (name: string, path: string): FieldError[] => [
  ...invalidValues(path, name, qualifiedNameFaults(name)),
  ...invalidValues(path, name, kubeFinalizerFaults(name)),
];

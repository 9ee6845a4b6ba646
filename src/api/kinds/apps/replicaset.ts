import { defaultPodTemplate } from '../../defaults/pod-spec.ts';
import { nonNegative, unchanged } from '../../fields.ts';
import type { ReplicaSet } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validateWorkloadTemplate } from '../../validation/pod/template.ts';
import { validateOwnSelector } from '../../validation/selector.ts';
import { templateCells } from '../cells.ts';

export const replicaSet: KindBehaviour<ReplicaSet> = {
  hasGeneration: true,
  cells: {
    Desired: (s) => s.spec?.replicas ?? 0,
    Current: (s) => s.status?.replicas ?? 0,
    Ready: (s) => s.status?.readyReplicas ?? 0,
    ...templateCells,
  },
  selectableFields: { 'status.replicas': (s) => String(s.status?.replicas ?? 0) },
  strategy: {
    setDefaults(s) {
      const spec = (s.spec ??= {} as NonNullable<ReplicaSet['spec']>);
      spec.replicas ??= 1;
      defaultPodTemplate(spec.template);
    },
    validate: (s) => [
      ...nonNegative('spec.replicas', s.spec!.replicas),
      ...nonNegative('spec.minReadySeconds', s.spec!.minReadySeconds),
      ...validateOwnSelector(s.spec!.selector, s.spec!.template?.metadata?.labels, 'deployment'),
      ...validateWorkloadTemplate(s.spec!.template, 'spec.template', 'ReplicaSet'),
    ],
    validateUpdate: (next, old) => unchanged('spec.selector', next.spec?.selector, old.spec?.selector),
  },
};

import { defaultPodTemplate } from '../../defaults/pod-spec.ts';
import type { FieldError } from '../../errors.ts';
import { nonNegative, notSupported, required, sameValue, unchanged } from '../../fields.ts';
import type { DaemonSet } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { intOrPercentIsZero, validateIntOrPercent, validateMaxUnavailable } from '../../validation/int-or-percent.ts';
import { validateWorkloadTemplate } from '../../validation/pod/template.ts';
import { validateOwnSelector } from '../../validation/selector.ts';
import { labelsText, templateCells } from '../cells.ts';

/** Counts changes of the template, a leftover of extensions/v1beta1. */
const templateGeneration = 'deprecated.daemonset.template.generation';

export const daemonSet: KindBehaviour<DaemonSet> = {
  hasGeneration: true,
  cells: {
    Desired: (s) => s.status?.desiredNumberScheduled ?? 0,
    Current: (s) => s.status?.currentNumberScheduled ?? 0,
    Ready: (s) => s.status?.numberReady ?? 0,
    'Up-to-date': (s) => s.status?.updatedNumberScheduled ?? 0,
    Available: (s) => s.status?.numberAvailable ?? 0,
    'Node Selector': (s) => labelsText(s.spec?.template?.spec?.nodeSelector),
    ...templateCells,
  },
  strategy: {
    setDefaults(s) {
      const spec = (s.spec ??= {} as NonNullable<DaemonSet['spec']>);
      spec.updateStrategy ??= {};
      spec.updateStrategy.type ??= 'RollingUpdate';
      if (spec.updateStrategy.type === 'RollingUpdate') {
        spec.updateStrategy.rollingUpdate ??= {};
        spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
        spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
      }
      spec.revisionHistoryLimit ??= 10;
      defaultPodTemplate(spec.template);
    },
    prepareForCreate: (s) => setTemplateGeneration(s, 1),
    prepareForUpdate(next, old) {
      const before = Number(old.metadata.annotations?.[templateGeneration] ?? 1);
      setTemplateGeneration(next, sameValue(next.spec?.template, old.spec?.template) ? before : before + 1);
    },
    validate,
    validateUpdate: (next, old) => unchanged('spec.selector', next.spec?.selector, old.spec?.selector),
  },
};

function setTemplateGeneration(s: DaemonSet, generation: number): void {
  s.metadata.annotations = { ...s.metadata.annotations, [templateGeneration]: String(generation) };
}

function validate(s: DaemonSet): FieldError[] {
  const spec = s.spec!;
  return [
    ...validateOwnSelector(spec.selector, spec.template?.metadata?.labels, 'daemonset'),
    ...validateWorkloadTemplate(spec.template, 'spec.template', 'DaemonSet'),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...validateStrategy(spec),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
  ];
}

function validateStrategy({ updateStrategy }: NonNullable<DaemonSet['spec']>): FieldError[] {
  const path = 'spec.updateStrategy';
  const { type, rollingUpdate } = updateStrategy ?? {};
  if (type === 'OnDelete') return [];
  if (type !== 'RollingUpdate')
    return [notSupported(path, { Type: type ?? '', RollingUpdate: null }, ['RollingUpdate', 'OnDelete'])];
  if (!rollingUpdate) return [required(`${path}.rollingUpdate`)];
  const at = `${path}.rollingUpdate`;
  const errors = [
    ...validateMaxUnavailable(rollingUpdate.maxUnavailable, `${at}.maxUnavailable`),
    ...validateIntOrPercent(rollingUpdate.maxSurge, `${at}.maxSurge`),
  ];
  const zero = [rollingUpdate.maxUnavailable, rollingUpdate.maxSurge].map(intOrPercentIsZero);
  if (zero[0] && zero[1]) errors.push(required(`${at}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'));
  if (!zero[0] && !zero[1])
    errors.push({
      type: 'FieldValueInvalid',
      field: `${at}.maxSurge`,
      message: `Invalid value: ${JSON.stringify(rollingUpdate.maxSurge)}: may not be set when maxUnavailable is non-zero`,
    });
  return errors;
}

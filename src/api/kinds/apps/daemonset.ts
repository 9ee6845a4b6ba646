import { labelSelector } from '../../../machinery/selectors/label-selector.ts';
import { defaultPodTemplate } from '../../defaults/pod-spec.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, nonNegative, notSupported, required } from '../../fields.ts';
import type { DaemonSet } from '../../generated/types.ts';
import { internal, writtenForm } from '../../internal.ts';
import type { KindBehaviour } from '../../kind.ts';
import { specOf } from '../../spec-of.ts';
import { sameStored } from '../../strategy.ts';
import { intOrPercentIsZero, notOver100Percent, validateIntOrPercent } from '../../validation/int-or-percent.ts';
import { validatePodTemplate } from '../../validation/pod/template.ts';
import { isEmpty } from '../../validation/rules.ts';
import { unchangedSelector, validateLabelSelector } from '../../validation/selector.ts';
import {
  counters,
  dropDisabledTemplateFields,
  templateWarnings,
  validateCollisions,
  validateRestart,
} from '../../validation/workload.ts';
import { labelsText, templateCells } from '../cells.ts';

/** Counts changes of the template, a leftover of extensions/v1beta1. */
const templateGeneration = 'deprecated.daemonset.template.generation';

export const daemonSet: KindBehaviour<DaemonSet> = {
  podTemplate: 'spec.template',
  hasGeneration: true,
  emptyFields: 'validated',
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
      } else if (spec.updateStrategy.rollingUpdate) {
        // Unused, and written as the numbers that they are internally.
        spec.updateStrategy.rollingUpdate.maxUnavailable ??= 0;
        spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
      }
      spec.revisionHistoryLimit ??= 10;
      // Written as the number that it is internally.
      if (s.metadata.annotations?.[templateGeneration] === undefined) setTemplateGeneration(s, 0);
      defaultPodTemplate(spec.template);
    },
    prepareForCreate(s) {
      dropDisabledTemplateFields(s.spec?.template);
      setTemplateGeneration(s, 1);
    },
    prepareForUpdate(next, old) {
      dropDisabledTemplateFields(next.spec?.template, old.spec?.template);
      const before = Number(old.metadata.annotations?.[templateGeneration] ?? 1);
      const part = ({ spec }: DaemonSet) => ({ spec: { template: spec?.template } });
      setTemplateGeneration(next, sameStored('apps', 'DaemonSet', part(next), part(old)) ? before : before + 1);
    },
    validate,
    validateUpdate: (next, old) => [...unchangedSelector(next.spec?.selector, old.spec?.selector), ...validate(next)],
    warnings: (s, old) => templateWarnings(s, old, s.spec?.template),
    subresources: {
      status: {
        // A part of the spec, kept as an annotation.
        prepareForUpdate: (next, old) =>
          setTemplateGeneration(next, Number(old.metadata.annotations?.[templateGeneration] ?? 0)),
        validateUpdate: ({ status }, old) => [
          ...statusCounters(status, 'status'),
          ...validateCollisions(status, old.status),
        ],
      },
    },
  },
};

function setTemplateGeneration(s: DaemonSet, generation: number): void {
  s.metadata.annotations = { ...s.metadata.annotations, [templateGeneration]: String(generation) };
}

const statusCounters = counters(
  'currentNumberScheduled',
  'numberMisscheduled',
  'desiredNumberScheduled',
  'numberReady',
  'observedGeneration',
  'updatedNumberScheduled',
  'numberAvailable',
  'numberUnavailable',
  'collisionCount',
);

function validate(s: DaemonSet): FieldError[] {
  const { selector, template, minReadySeconds, updateStrategy, revisionHistoryLimit } = specOf(s);
  const labels = template?.metadata?.labels;
  const errors = validateLabelSelector(selector, 'spec.selector');
  if (!errors.length && !labelSelector(selector).matches(labels))
    errors.push(invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
  if (selector && isEmpty(selector.matchLabels) && isEmpty(selector.matchExpressions))
    errors.push(invalidValue('spec.selector', writtenForm(selector), 'empty selector is invalid for daemonset'));
  return [
    ...errors,
    ...validatePodTemplate(template, 'spec.template'),
    ...validateRestart(template, 'spec.template', 'DaemonSet'),
    ...nonNegative('spec.minReadySeconds', minReadySeconds),
    ...validateStrategy(updateStrategy, 'spec.updateStrategy'),
    ...nonNegative('spec.revisionHistoryLimit', revisionHistoryLimit),
  ];
}

type UpdateStrategy = NonNullable<DaemonSet['spec']>['updateStrategy'];

function validateStrategy(strategy: UpdateStrategy, path: string): FieldError[] {
  const { type, rollingUpdate } = strategy ?? {};
  if (type === 'OnDelete') return [];
  if (type !== 'RollingUpdate')
    return [notSupported(path, internal('apps.DaemonSetUpdateStrategy', strategy), ['RollingUpdate', 'OnDelete'])];
  if (!rollingUpdate) return [required(`${path}.rollingUpdate`)];
  const { maxUnavailable, maxSurge } = rollingUpdate;
  const [unavailable, surge] = [`${path}.rollingUpdate.maxUnavailable`, `${path}.rollingUpdate.maxSurge`];
  const errors = [
    ...validateIntOrPercent(maxUnavailable, unavailable),
    ...validateIntOrPercent(maxSurge, surge),
    ...notOver100Percent(maxUnavailable, unavailable),
    ...notOver100Percent(maxSurge, surge),
  ];
  const zero = [maxUnavailable, maxSurge].map(intOrPercentIsZero);
  if (zero[0] && zero[1]) errors.push(required(unavailable, 'cannot be 0 when maxSurge is 0'));
  if (!zero[0] && !zero[1])
    errors.push(invalidValue(surge, maxSurge, 'may not be set when maxUnavailable is non-zero'));
  return errors;
}

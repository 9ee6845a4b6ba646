// Pods, beyond the rules that their specs share with templates.

import type { FieldError } from '../../errors.ts';
import { forbiddenField } from '../../fields.ts';
import type { Pod, PodSpec } from '../../generated/types.ts';
import { specOf } from '../../spec-of.ts';
import { hadWrongCost, validatePodAnnotations, validateProfilesMatch } from './annotations.ts';
import { validateImageSpaces } from './containers.ts';
import { validatePodSpec } from './spec.ts';

/** Rules for new and changed pods. `live`: the pod before the change. */
export function validatePod(pod: Pod, live?: Pod): FieldError[] {
  const spec = specOf(pod);
  const { annotations } = pod.metadata;
  return [
    ...validatePodAnnotations(annotations, spec, 'metadata.annotations', live && hadWrongCost(live)),
    ...validatePodSpec(spec, 'spec', pod.metadata),
    ...validateTokens(spec),
    ...(['containers', 'initContainers'] as const).flatMap((field) =>
      (spec[field] ?? []).flatMap((container, index) => validateImageSpaces(container, `spec.${field}[${index}]`)),
    ),
  ];
}

/** Tokens are of an account. */
function validateTokens(spec: PodSpec): FieldError[] {
  if (spec.serviceAccountName) return [];
  const errors: FieldError[] = [];
  for (const [index, { projected }] of (spec.volumes ?? []).entries())
    for (const [i, { serviceAccountToken }] of (projected?.sources ?? []).entries())
      if (serviceAccountToken)
        errors.push(
          forbiddenField(
            `spec.volumes[${index}].projected.sources[${i}].serviceAccountToken`,
            'must not be specified when serviceAccountName is not set',
          ),
        );
  return errors;
}

export function validateNewPod(pod: Pod): FieldError[] {
  const spec = specOf(pod);
  const errors = validatePod(pod);
  if (spec.ephemeralContainers?.length)
    errors.push(forbiddenField('spec.ephemeralContainers', 'cannot be set on create'));
  if (spec.nodeName && spec.schedulingGates?.length)
    errors.push(forbiddenField('spec.nodeName', 'cannot be set until all schedulingGates have been cleared'));
  return [...errors, ...validateProfilesMatch(pod.metadata.annotations, spec, 'spec')];
}

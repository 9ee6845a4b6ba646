// Pods as parts of workloads.

import type { FieldError } from '../../errors.ts';
import { forbiddenField } from '../../fields.ts';
import type { PodTemplateSpec } from '../../generated/types.ts';
import { validateTemplateMeta } from '../metadata.ts';
import { validatePodAnnotations, validateProfilesMatch } from './annotations.ts';
import { validatePodSpec } from './spec.ts';

export function validatePodTemplate(template: PodTemplateSpec | undefined, path: string): FieldError[] {
  const { annotations } = template?.metadata ?? {};
  const spec = template?.spec ?? { containers: [] };
  return [
    ...validateTemplateMeta(template?.metadata, path),
    ...validatePodAnnotations(annotations, spec, `${path}.annotations`),
    ...validatePodSpec(spec, `${path}.spec`),
    ...validateProfilesMatch(annotations, spec, `${path}.spec`),
    ...(spec.ephemeralContainers?.length
      ? [forbiddenField(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template')]
      : []),
  ];
}

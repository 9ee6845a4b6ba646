// Changes through a pod's /ephemeralcontainers.

import { unifiedDiff } from '../../../machinery/text/unified-diff.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField } from '../../fields.ts';
import type { EphemeralContainer, Pod } from '../../generated/types.ts';
import { internal, sameInternal } from '../../internal.ts';
import { mirrorAnnotation, validateAnnotationUpdate } from './annotations.ts';
import { validatePod } from './pod.ts';

const pretty = (container: EphemeralContainer) =>
  JSON.stringify(internal('core.EphemeralContainer', container), null, 1);

/** Containers for debugging are added, and then stay as they are. */
export function validateEphemeralUpdate(next: Pod, old: Pod): FieldError[] {
  if (mirrorAnnotation in (old.metadata.annotations ?? {}))
    return [forbiddenField('', 'static pods do not support ephemeral containers')];
  const errors = [...validatePod(next, old), ...validateAnnotationUpdate(next, old)];
  const now = new Map((next.spec?.ephemeralContainers ?? []).map((container) => [container.name, container]));
  const path = 'spec.ephemeralContainers';
  for (const before of old.spec?.ephemeralContainers ?? []) {
    const container = now.get(before.name);
    const name = JSON.stringify(before.name);
    if (!container) errors.push(forbiddenField(path, `existing ephemeral containers ${name} may not be removed\n`));
    else if (!sameInternal('core.EphemeralContainer', container, before))
      errors.push(
        forbiddenField(
          path,
          `existing ephemeral containers ${name} may not be changed\n${unifiedDiff(pretty(before), pretty(container))}`,
        ),
      );
  }
  return errors;
}

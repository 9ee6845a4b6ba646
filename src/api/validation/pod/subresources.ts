// Changes through a pod's /status and /ephemeralcontainers.

import { qualifiedNameFaults } from '../../../machinery/text/names.ts';
import { unifiedDiff } from '../../../machinery/text/unified-diff.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, immutableField, invalidValue, invalidValues, sameValue } from '../../fields.ts';
import type { EphemeralContainer, Pod } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import { mirrorAnnotation, validateAnnotationUpdate } from './annotations.ts';
import { validatePod } from './pod.ts';

const annotationUpdate = (next: Pod, old: Pod): FieldError[] =>
  validateAnnotationUpdate(next.metadata.annotations, old.metadata.annotations, 'metadata.annotations');

const systemConditions = ['PodScheduled', 'Ready', 'Initialized'];

export function validatePodStatusUpdate(next: Pod, old: Pod): FieldError[] {
  const [status, before] = [next.status ?? {}, old.status ?? {}];
  const errors = annotationUpdate(next, old);
  for (const [index, { type, observedGeneration = 0 }] of (status.conditions ?? []).entries()) {
    const at = `status.conditions[${index}]`;
    if (observedGeneration < 0)
      errors.push(invalidValue(`${at}.observedGeneration`, observedGeneration, 'must be a non-negative integer'));
    if (!systemConditions.includes(type)) errors.push(...invalidValues(`${at}.Type`, type, qualifiedNameFaults(type)));
  }
  const nominated = status.nominatedNodeName;
  if (old.spec?.nodeName && nominated && nominated !== before.nominatedNodeName)
    errors.push(forbiddenField('status.nominatedNodeName', 'may not be set on pods that are already bound to a node'));
  if ((status.observedGeneration ?? 0) < 0)
    errors.push(invalidValue('status.observedGeneration', status.observedGeneration, 'must be a non-negative integer'));
  if ((status.qosClass ?? '') !== (before.qosClass ?? ''))
    errors.push(immutableField('status.qosClass', status.qosClass ?? ''));
  return [...errors, ...validateTransitions(next, old)];
}

/** Invalid transitions of an ended container that will not restart. */
function validateTransitions(next: Pod, old: Pod): FieldError[] {
  const policy = old.spec?.restartPolicy;
  if (policy === 'Always') return [];
  const errors: FieldError[] = [];
  const was = new Map((old.status?.containerStatuses ?? []).map((status) => [status.name, status]));
  for (const [index, status] of (next.status?.containerStatuses ?? []).entries()) {
    const before = was.get(status.name)?.state?.terminated;
    if (!before || (before.exitCode !== 0 && policy === 'OnFailure') || status.state?.terminated) continue;
    errors.push(
      forbiddenField(`status.containerStatuses[${index}].state`, 'may not be transitioned to non-terminated state'),
    );
  }
  return errors;
}

const pretty = (container: EphemeralContainer) =>
  JSON.stringify(internal('core.EphemeralContainer', container), null, 1);

/** Containers for debugging are added, and then stay as they are. */
export function validateEphemeralUpdate(next: Pod, old: Pod): FieldError[] {
  if (mirrorAnnotation in (old.metadata.annotations ?? {}))
    return [forbiddenField('', 'static pods do not support ephemeral containers')];
  const errors = [...validatePod(next), ...annotationUpdate(next, old)];
  const now = new Map((next.spec?.ephemeralContainers ?? []).map((container) => [container.name, container]));
  const path = 'spec.ephemeralContainers';
  for (const before of old.spec?.ephemeralContainers ?? []) {
    const container = now.get(before.name);
    const name = JSON.stringify(before.name);
    if (!container) errors.push(forbiddenField(path, `existing ephemeral containers ${name} may not be removed\n`));
    else if (!sameValue(container, before))
      errors.push(
        forbiddenField(
          path,
          `existing ephemeral containers ${name} may not be changed\n${unifiedDiff(pretty(before), pretty(container))}`,
        ),
      );
  }
  return errors;
}

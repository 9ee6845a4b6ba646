// Pods as parts of workloads.

import type { FieldError } from '../../errors.ts';
import { forbiddenField, notSupported } from '../../fields.ts';
import type { PodTemplateSpec } from '../../generated/types.ts';
import { validateMetaFields } from '../metadata.ts';
import { validatePodSpec } from './spec.ts';

export function validatePodTemplate(template: PodTemplateSpec | undefined, path: string): FieldError[] {
  const metadata = (template?.metadata ?? {}) as any;
  return [
    // Kubernetes names the labels of a template without its metadata.
    ...validateMetaFields(metadata, path),
    ...validatePodSpec(template?.spec ?? { containers: [] }, `${path}.spec`, metadata, { template: true }),
  ];
}

/** Owners other than Job, whose pods run until they are told to stop. */
const restartsAlways = ['ReplicaSet', 'ReplicationController', 'DaemonSet', 'StatefulSet'];

export function validateWorkloadTemplate(
  template: PodTemplateSpec | undefined,
  path: string,
  owner: string,
): FieldError[] {
  const errors = validatePodTemplate(template, path);
  if (!restartsAlways.includes(owner)) return errors;
  const spec = template?.spec;
  if (spec?.restartPolicy && spec.restartPolicy !== 'Always')
    errors.push(notSupported(`${path}.spec.restartPolicy`, spec.restartPolicy, ['Always']));
  if (spec?.activeDeadlineSeconds !== undefined)
    errors.push(
      forbiddenField(
        `${path}.spec.activeDeadlineSeconds`,
        // A Deployment's pods belong to its ReplicaSets; the odd spelling is Kubernetes'.
        `activeDeadlineSeconds in ${owner} is not Supported`,
      ),
    );
  if (spec?.ephemeralContainers?.length)
    errors.push(forbiddenField(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'));
  return errors;
}

// Rules shared by Deployments, ReplicaSets, StatefulSets and DaemonSets.

import { labelSelector } from '../../machinery/selectors/label-selector.ts';
import { dns1123LabelFaults } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import { forbiddenField, invalidValue, notSupported } from '../fields.ts';
import type { LabelSelector, PodTemplateSpec } from '../generated/types.ts';
import { writtenForm } from '../internal.ts';
import type { ApiObject } from '../kind.ts';
import { dropDisabledFields } from './pod/disabled.ts';
import { validatePodTemplate } from './pod/template.ts';
import { podWarnings } from './pod/warnings.ts';
import { isEmpty, notNegative, type Rule, type Rules, set, struct } from './rules.ts';
import { isSound } from './selector.ts';

/** The template of pods with restartPolicy Always, which the selector must match. */
export function validateOwnTemplate(
  template: PodTemplateSpec | undefined,
  selector: LabelSelector | undefined,
  path: string,
  owner: string,
  unreadable = 'invalid label selector',
): FieldError[] {
  const labels = template?.metadata?.labels;
  const errors: FieldError[] = [];
  const isNone = !selector || (isEmpty(selector.matchLabels) && isEmpty(selector.matchExpressions));
  // An invalid selector is a separate fault; a missing one matches no pod.
  if (selector && !isSound(selector))
    return [
      invalidValue(`${path.replace(/template$/, 'selector')}`, writtenForm(selector), unreadable),
      ...(owner === 'StatefulSet' ? validateRestart(template, path, owner) : []),
    ];
  if ((!selector || !isNone) && !labelSelector(selector).matches(labels))
    errors.push(invalidValue(`${path}.metadata.labels`, labels, '`selector` does not match template `labels`'));
  return [...errors, ...validatePodTemplate(template, path), ...validateRestart(template, path, owner)];
}

export function validateRestart(template: PodTemplateSpec | undefined, path: string, owner: string): FieldError[] {
  const { restartPolicy, activeDeadlineSeconds } = template?.spec ?? {};
  const errors: FieldError[] = [];
  if (restartPolicy !== 'Always')
    errors.push(notSupported(`${path}.spec.restartPolicy`, restartPolicy ?? '', ['Always']));
  if (activeDeadlineSeconds !== undefined)
    errors.push(
      forbiddenField(
        `${path}.spec.activeDeadlineSeconds`,
        // A Deployment's pods belong to its ReplicaSets; the odd spelling is Kubernetes'.
        `activeDeadlineSeconds in ${owner} is not Supported`,
      ),
    );
  return errors;
}

/** Non-negative counters of a status. */
export const counters = (...fields: readonly string[]): Rule =>
  struct(Object.fromEntries(fields.map((field) => [field, set(notNegative)])) as Rules);

/** Each counter is a subset of `of`. */
export function atMost<K extends string>(
  status: { readonly [field in K]?: number } | undefined,
  fields: readonly K[],
  of: K,
  shown: string,
): FieldError[] {
  const count = (field: K): number => status?.[field] ?? 0;
  return fields
    .filter((field) => count(field) > count(of))
    .map((field) => invalidValue(`status.${field}`, count(field), `cannot be greater than ${shown}`));
}

/** The collision count never decreases, so that names are unique. */
interface Collided {
  readonly collisionCount?: number;
}

export function validateCollisions(next: Collided | undefined, old: Collided | undefined): FieldError[] {
  const [now, was] = [next?.collisionCount, old?.collisionCount];
  return was !== undefined && (now ?? -1) < was
    ? [invalidValue('status.collisionCount', now ?? 0, 'cannot be decremented')]
    : [];
}

/** Warnings for the pods of a template, when it is new or has changed. */
export function templateWarnings(
  next: ApiObject,
  old: ApiObject | undefined,
  template: PodTemplateSpec | undefined,
  path = 'spec.template',
): string[] {
  if (old && next.metadata.generation === old.metadata.generation) return [];
  return podWarnings(template?.spec, template?.metadata, path);
}

/** Pods are named after their owner, and their hosts after them. */
export function nameWarnings({ name }: ApiObject['metadata'], isUpdate: boolean): string[] {
  const faults = isUpdate ? [] : dns1123LabelFaults(name);
  return faults.length
    ? [
        `metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [${faults.join(' ')}]`,
      ]
    : [];
}

export const dropDisabledTemplateFields = (
  template: PodTemplateSpec | undefined,
  old?: PodTemplateSpec | undefined,
): void => dropDisabledFields(template?.spec, old?.spec);

const replicaCounters = counters(
  'replicas',
  'fullyLabeledReplicas',
  'readyReplicas',
  'availableReplicas',
  'observedGeneration',
  'terminatingReplicas',
);

/** The status of a ReplicaSet or ReplicationController. */
export const validateReplicas = (status: object | undefined): FieldError[] => [
  ...replicaCounters(status, 'status'),
  ...atMost(status, ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'], 'replicas', 'status.replicas'),
  ...atMost(status, ['availableReplicas'], 'readyReplicas', 'readyReplicas'),
];

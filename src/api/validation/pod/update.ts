// What may change in a pod that exists: images, a little of the rest, nothing else.

import { unifiedDiff } from '../../../machinery/unified-diff.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, sameValue } from '../../fields.ts';
import type { Pod, PodSpec } from '../../generated/types.ts';
import { qosClass } from '../../pod.ts';
import { internalSpec } from './internal.ts';

const mutable =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

export function validatePodUpdate(next: Pod, old: Pod): FieldError[] {
  const [spec, before] = [next.spec!, old.spec!];
  for (const field of ['containers', 'initContainers'] as const)
    if ((spec[field]?.length ?? 0) !== (before[field]?.length ?? 0))
      return [forbiddenField(`spec.${field}`, 'pod updates may not add or remove containers')];
  const errors: FieldError[] = [];
  errors.push(...validateDeadline(spec, before), ...validateTolerations(spec, before), ...validateGates(spec, before));
  const leveled = withMutableOf(spec, before);
  if (!sameValue(leveled, before)) errors.push(forbiddenField('spec', `${mutable}${difference(leveled, before)}`));
  return errors;
}

function validateDeadline(spec: PodSpec, before: PodSpec): FieldError[] {
  const path = 'spec.activeDeadlineSeconds';
  const [now, was] = [spec.activeDeadlineSeconds, before.activeDeadlineSeconds];
  if (now !== undefined) {
    if (was !== undefined && was < now)
      return [invalidValue(path, now, 'must be less than or equal to previous value')];
    return [];
  }
  return was !== undefined ? [invalidValue(path, null, 'must not update from a positive integer to nil value')] : [];
}

/** Tolerations may be added, and the seconds of one may change; none may go. */
function validateTolerations(spec: PodSpec, before: PodSpec): FieldError[] {
  const plain = ({ tolerationSeconds: _, ...rest }: any) => rest;
  const now = (spec.tolerations ?? []).map(plain);
  const kept = (before.tolerations ?? []).every((old) => now.some((toleration) => sameValue(toleration, plain(old))));
  return kept
    ? []
    : [forbiddenField('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')];
}

function validateGates(spec: PodSpec, before: PodSpec): FieldError[] {
  const was = new Set((before.schedulingGates ?? []).map(({ name }) => name));
  return (spec.schedulingGates ?? []).flatMap(({ name }, index) =>
    was.has(name)
      ? []
      : [
          forbiddenField(
            `spec.schedulingGates[${index}].name`,
            `only deletion is allowed, but found new scheduling gate '${name}'`,
          ),
        ],
  );
}

/** `spec` with everything that may change put back as it was. */
function withMutableOf(spec: PodSpec, before: PodSpec): PodSpec {
  const leveled: PodSpec = { ...spec };
  for (const field of ['containers', 'initContainers'] as const)
    if (spec[field]) leveled[field] = spec[field].map((c, i) => ({ ...c, image: before[field]![i].image }));
  for (const field of ['activeDeadlineSeconds', 'tolerations', 'schedulingGates'] as const)
    if (before[field] === undefined) delete leveled[field];
    else (leveled as any)[field] = before[field];
  if ((before.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1)
    leveled.terminationGracePeriodSeconds = before.terminationGracePeriodSeconds;
  // While gates hold it back, a pod may be narrowed to fewer nodes.
  if (before.schedulingGates?.length) {
    if (containsAll(spec.nodeSelector, before.nodeSelector)) keepField(leveled, before, 'nodeSelector');
    if (!before.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution)
      keepField(leveled, before, 'affinity');
  }
  return leveled;
}

const containsAll = (map: Record<string, string> | undefined, part: Record<string, string> | undefined) =>
  Object.entries(part ?? {}).every(([key, value]) => map?.[key] === value);

function keepField(leveled: PodSpec, before: PodSpec, field: 'nodeSelector' | 'affinity'): void {
  if (before[field] === undefined) delete leveled[field];
  else (leveled as any)[field] = before[field];
}

const pretty = (spec: PodSpec) => JSON.stringify(internalSpec(spec), null, 1);

/** What changed, as lines of the spec. */
const difference = (next: PodSpec, old: PodSpec): string => `\n${unifiedDiff(pretty(old), pretty(next))}`;

/** What a container that has ended, and will not be started again, may not do. */
export function validatePodStatusUpdate(next: Pod, old: Pod): FieldError[] {
  const policy = old.spec?.restartPolicy;
  const errors: FieldError[] = [];
  if (policy === 'Always') return errors;
  for (const [index, status] of (next.status?.containerStatuses ?? []).entries()) {
    const before = old.status?.containerStatuses?.find(({ name }) => name === status.name)?.state?.terminated;
    if (!before || (before.exitCode !== 0 && policy === 'OnFailure') || status.state?.terminated) continue;
    errors.push(
      forbiddenField(`status.containerStatuses[${index}].state`, 'may not be transitioned to non-terminated state'),
    );
  }
  return errors;
}

/** What was added once stays as it is. */
export function validateEphemeralContainersUpdate(next: Pod, old: Pod): FieldError[] {
  if (old.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined)
    return [forbiddenField('', 'static pods do not support ephemeral containers')];
  const refuse = (name: string, what: string) =>
    forbiddenField('spec.ephemeralContainers', `existing ephemeral containers "${name}" may not be ${what}\n`);
  return (old.spec!.ephemeralContainers ?? []).flatMap((before) => {
    const after = next.spec!.ephemeralContainers?.find(({ name }) => name === before.name);
    if (!after) return [refuse(before.name, 'removed')];
    return sameValue(before, after) ? [] : [refuse(before.name, 'changed')];
  });
}

/** Through /resize only CPU and memory change, and never so that the pod's class of service does. */
export function validatePodResize(next: Pod, old: Pod): FieldError[] {
  const errors: FieldError[] = [];
  if (qosClass(next.spec!) !== qosClass(old.spec!))
    errors.push(invalidValue('spec', qosClass(old.spec!), 'Pod QOS Class may not change as a result of resizing'));
  const others = (spec: PodSpec) =>
    [...spec.containers, ...(spec.initContainers ?? [])].map(({ resources }) =>
      (['limits', 'requests'] as const).map((which) =>
        Object.entries((resources as any)?.[which] ?? {}).filter(([name]) => name !== 'cpu' && name !== 'memory'),
      ),
    );
  if (!sameValue(others(next.spec!), others(old.spec!)))
    errors.push(forbiddenField('spec', 'only cpu and memory resources are mutable'));
  return errors;
}

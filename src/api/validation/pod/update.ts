// Mutable fields of an existing pod: images and a few others.

import { must } from '../../../machinery/must.ts';
import { unifiedDiff } from '../../../machinery/text/unified-diff.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, required } from '../../fields.ts';
import type { Affinity, NodeAffinity, NodeSelectorTerm, Pod, PodSpec } from '../../generated/types.ts';
import { internal, sameInternal } from '../../internal.ts';
import { specOf } from '../../spec-of.ts';
import { range } from '../rules.ts';
import { validateAnnotationUpdate } from './annotations.ts';
import { validateImageSpaces } from './containers.ts';
import { validatePod } from './pod.ts';
import { validateTolerations } from './tolerations.ts';

const mutable =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

export function validatePodUpdate(next: Pod, old: Pod): FieldError[] {
  const [spec, before] = [specOf(next), specOf(old)];
  const errors = [...validatePod(next, old), ...validateAnnotationUpdate(next, old)];
  for (const field of ['containers', 'initContainers'] as const) {
    const path = `spec.${field}`;
    if ((spec[field]?.length ?? 0) !== (before[field]?.length ?? 0))
      return [...errors, forbiddenField(path, 'pod updates may not add or remove containers')];
    for (const [index, container] of (spec[field] ?? []).entries()) {
      if (!container.image) errors.push(required(`${path}[${index}].image`));
      errors.push(...validateImageSpaces(container, `${path}[${index}]`));
    }
  }
  const deadline = validateDeadline(spec, before);
  errors.push(...deadline.errors);
  if (deadline.stop) return errors;
  errors.push(...onlyAddedTolerations(spec, before), ...onlyRemovedGates(spec, before));
  if (sameSpec(spec, before)) return errors;
  const leveled = withMutableOf(spec, before, errors);
  if (!sameSpec(leveled, before)) errors.push(forbiddenField('spec', `${mutable}${difference(leveled, before)}`));
  return errors;
}

function validateDeadline(spec: PodSpec, before: PodSpec): { errors: readonly FieldError[]; stop: boolean } {
  const path = 'spec.activeDeadlineSeconds';
  const [now, was] = [spec.activeDeadlineSeconds, before.activeDeadlineSeconds];
  if (now === undefined)
    return {
      errors:
        was === undefined ? [] : [invalidValue(path, null, 'must not update from a positive integer to nil value')],
      stop: false,
    };
  const errors = range(0, 2 ** 31 - 1)(now, path);
  if (errors.length) return { errors, stop: true };
  return was !== undefined && was < now
    ? { errors: [invalidValue(path, now, 'must be less than or equal to previous value')], stop: true }
    : { errors: [], stop: false };
}

/** Tolerations may be added, and the seconds of one may change; none may go. */
function onlyAddedTolerations(spec: PodSpec, before: PodSpec): FieldError[] {
  const path = 'spec.tolerations';
  const keyOf = ({
    key = '',
    operator = '',
    value = '',
    effect = '',
  }: Partial<Record<'key' | 'operator' | 'value' | 'effect', string>>) => [key, operator, value, effect].join('\n');
  const now = new Set((spec.tolerations ?? []).map(keyOf));
  if (!(before.tolerations ?? []).every((toleration) => now.has(keyOf(toleration))))
    return [forbiddenField(path, 'existing toleration can not be modified except its tolerationSeconds')];
  return validateTolerations(spec.tolerations ?? [], path);
}

function onlyRemovedGates(spec: PodSpec, before: PodSpec): FieldError[] {
  const was = new Set((before.schedulingGates ?? []).map(({ name = '' }) => name));
  // Of gates with the same name the last one is the fault.
  const added = new Map((spec.schedulingGates ?? []).map(({ name = '' }, index) => [name, index]));
  return [...added]
    .filter(([name]) => !was.has(name))
    .map(([name, index]) =>
      forbiddenField(
        `spec.schedulingGates[${index}].name`,
        `only deletion is allowed, but found new scheduling gate '${name}'`,
      ),
    );
}

/** `spec` with its mutable fields restored. */
function withMutableOf(spec: PodSpec, before: PodSpec, errors: FieldError[]): PodSpec {
  const leveled: PodSpec = { ...spec };
  for (const field of ['containers', 'initContainers'] as const)
    if (spec[field])
      leveled[field] = spec[field].map((c, i) => ({ ...c, image: must(before[field]?.[i], 'container').image }));
  for (const field of ['activeDeadlineSeconds', 'tolerations', 'schedulingGates'] as const)
    restore(leveled, before, field);
  if ((before.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1)
    leveled.terminationGracePeriodSeconds = before.terminationGracePeriodSeconds;
  if (before.schedulingGates?.length) narrowNodes(leveled, before, errors);
  return leveled;
}

/** While gates hold it back, a pod may be narrowed to fewer nodes. */
function narrowNodes(leveled: PodSpec, before: PodSpec, errors: FieldError[]): void {
  const isNarrower = Object.entries(before.nodeSelector ?? {}).every(
    ([key, value]) => leveled.nodeSelector?.[key] === value,
  );
  if (!isNarrower)
    errors.push(
      invalidValue(
        'spec.nodeSelector',
        leveled.nodeSelector,
        'only additions to spec.nodeSelector are allowed (no mutations or deletions)',
      ),
    );
  restore(leveled, before, 'nodeSelector');
  const [now, was] = [leveled.affinity?.nodeAffinity, before.affinity?.nodeAffinity];
  if (sameInternal('*core.NodeAffinity', now, was)) return;
  errors.push(...validateNarrowing(now, was));
  const others = leveled.affinity?.podAffinity ?? leveled.affinity?.podAntiAffinity;
  if (!leveled.affinity || (!before.affinity && !others)) {
    if (was) leveled.affinity = { nodeAffinity: was };
    else delete leveled.affinity;
  } else {
    const { nodeAffinity: _, ...rest } = leveled.affinity;
    leveled.affinity = (was ? { nodeAffinity: was, ...rest } : rest) as Affinity;
  }
}

const requiredTerms = (affinity: NodeAffinity | undefined): readonly NodeSelectorTerm[] =>
  affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];

function validateNarrowing(now: NodeAffinity | undefined, was: NodeAffinity | undefined): FieldError[] {
  if (!was?.requiredDuringSchedulingIgnoredDuringExecution) return [];
  const path = 'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms';
  const [terms, before] = [requiredTerms(now), requiredTerms(was)];
  if (before.length && terms.length !== before.length)
    return [
      invalidValue(
        path,
        internal('[]core.NodeSelectorTerm', terms.length ? terms : undefined),
        'no additions/deletions to non-empty NodeSelectorTerms list are allowed',
      ),
    ];
  return before.flatMap((term, index) =>
    hasOnlyAdditions(terms[index], term)
      ? []
      : [
          invalidValue(
            `${path}[${index}]`,
            internal('core.NodeSelectorTerm', terms[index]),
            'only additions are allowed (no mutations or deletions)',
          ),
        ],
  );
}

function hasOnlyAdditions(now: NodeSelectorTerm, was: NodeSelectorTerm): boolean {
  const lists = (['matchExpressions', 'matchFields'] as const).map((field) => [now[field] ?? [], was[field] ?? []]);
  // A term that matched nothing would match nodes.
  if (lists.every(([, before]) => !before.length)) return lists.every(([list]) => !list.length);
  return lists.every(([list, before]) =>
    sameInternal('[]core.NodeSelectorRequirement', list.slice(0, before.length), before),
  );
}

function restore<K extends keyof PodSpec>(leveled: PodSpec, before: PodSpec, field: K): void {
  if (before[field] === undefined) delete leveled[field];
  else leveled[field] = before[field];
}

const sameSpec = (a: PodSpec, b: PodSpec): boolean => sameInternal('core.PodSpec', a, b);
const pretty = (spec: PodSpec) => JSON.stringify(internal('core.PodSpec', spec), null, 1);

/** The changes, as a diff of the spec. */
const difference = (next: PodSpec, old: PodSpec): string => `\n${unifiedDiff(pretty(old), pretty(next))}`;

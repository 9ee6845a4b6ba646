// Fields that a pod's /resize may change: CPU and memory, of its containers and of the whole pod.
// https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/

import { must } from '../../../machinery/must.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, sameValue } from '../../fields.ts';
import type { Container, Pod, PodSpec } from '../../generated/types.ts';
import { sameInternal } from '../../internal.ts';
import { isSidecar, qosClass, type ResourceList } from '../../objects/pod.ts';
import { specOf } from '../../spec-of.ts';
import { mirrorAnnotation } from './annotations.ts';
import { validatePod } from './pod.ts';

interface Resources {
  limits?: ResourceList;
  requests?: ResourceList;
  claims?: readonly unknown[];
}
type Lists = 'limits' | 'requests';

/** Restores everything but resources and their policies, unless containers were added or removed. */
export function keepAllButResources(next: Pod, old: Pod): void {
  const [spec, before] = [specOf(next), specOf(old)];
  const count = ({ containers, initContainers = [] }: PodSpec) => [containers?.length ?? 0, initContainers.length];
  if (!sameValue(count(spec), count(before))) return;
  const { finalizers, labels, annotations, ownerReferences } = old.metadata;
  next.metadata = { ...next.metadata, finalizers, labels, annotations, ownerReferences };
  next.status = old.status;
  next.spec = {
    ...before,
    resources: spec.resources,
    containers: merged(spec.containers, before.containers) ?? [],
    initContainers: merged(spec.initContainers, before.initContainers),
  };
}

/** Renamed or reordered containers stay as they are: validation refuses them. */
const merged = (next: Container[] | undefined, old: Container[] | undefined): Container[] | undefined =>
  old?.some(({ name }, index) => next?.[index].name !== name)
    ? next
    : old?.map((container, index) => {
        const { resources, resizePolicy } = must(next?.[index], 'container');
        return { ...container, resources, resizePolicy };
      });

const onlyCpuAndMemory = 'only cpu and memory resources are mutable';
const resourcesOf = (holder: unknown) => (holder as { resources?: Resources }).resources;

/** The QoS class is immutable too. */
export function validatePodResize(next: Pod, old: Pod): FieldError[] {
  if (mirrorAnnotation in (old.metadata.annotations ?? {}))
    return [forbiddenField('', 'static pods cannot be resized')];
  if (old.spec?.os?.name === 'windows') return [forbiddenField('', 'windows pods cannot be resized')];
  const [spec, before] = [specOf(next), specOf(old)];
  const errors = validatePod(next, old);
  const class_ = qosClass(before);
  if (qosClass(spec) !== class_)
    errors.push(
      invalidValue('spec', next.status?.qosClass ?? class_, 'Pod QOS Class may not change as a result of resizing'),
    );
  const running = old.status?.containerStatuses?.find(({ state }) => state?.running);
  if (running && !running.resources)
    errors.push(forbiddenField('spec', 'Pod running on node without support for resize'));
  errors.push(...validatePodLevel(resourcesOf(spec), resourcesOf(before)));
  const order = validateOrder(spec, before);
  if (order.length) return [...errors, ...order];
  for (const field of ['initContainers', 'containers'] as const)
    for (const [index, container] of (before[field] ?? []).entries())
      errors.push(
        ...removed(
          must(spec[field]?.[index], 'container').resources,
          container.resources,
          `spec.${field}[${index}].resources`,
        ),
      );
  for (const [index, container] of before.containers.entries())
    if (!sameButCpuAndMemory(spec.containers[index], container)) errors.push(forbiddenField('spec', onlyCpuAndMemory));
  for (const [index, container] of (before.initContainers ?? []).entries())
    errors.push(
      ...validateInit(must(spec.initContainers, 'initContainers')[index], container, `spec.initContainers[${index}]`),
    );
  if (errors.length || sameInternal('core.PodSpec', withoutResources(spec), withoutResources(before))) return errors;
  return [forbiddenField('spec', onlyCpuAndMemory)];
}

const isSet = (resources: Resources | undefined): boolean =>
  Object.keys(resources?.requests ?? {}).length + Object.keys(resources?.limits ?? {}).length > 0;

function validatePodLevel(next: Resources | undefined, old: Resources | undefined): FieldError[] {
  if (!isSet(next) && !isSet(old)) return [];
  if (old && !next) return [forbiddenField('spec.resources', 'pod-level resources cannot be removed')];
  const rest = (resources: Resources | undefined) => [...otherResources(resources), resources?.claims ?? []];
  return [
    ...(old ? removed(next, old, 'spec.resources', 'pod-level resource ') : []),
    ...(sameValue(rest(next), rest(old))
      ? []
      : [forbiddenField('spec', 'only cpu and memory resources are mutable at pod-level')]),
  ];
}

const removed = (next: unknown, old: unknown, path: string, prefix = 'resource '): FieldError[] =>
  (['requests', 'limits'] as const)
    .filter((list) => Object.keys(listOf(old, list)).some((name) => !(name in listOf(next, list))))
    .map((list) => forbiddenField(`${path}.${list}`, `${prefix}${list} cannot be removed`));
const listOf = (resources: unknown, list: Lists): ResourceList => (resources as Resources | undefined)?.[list] ?? {};

const otherResources = (resources: unknown): unknown[] =>
  (['limits', 'requests'] as const).map((list) =>
    Object.fromEntries(Object.entries(listOf(resources, list)).filter(([name]) => name !== 'cpu' && name !== 'memory')),
  );

/** Kubernetes compares without the claims of the changed container: one that had claims cannot be resized. */
const sameButCpuAndMemory = (next: Container, old: Container): boolean =>
  sameValue(otherResources(next.resources), otherResources(old.resources)) &&
  sameInternal('core.Container', { ...next, resources: {} }, { ...old, resources: {} }) &&
  !old.resources?.claims?.length;

const withoutResources = ({ containers: _, initContainers: __, resources: ___, ...rest }: PodSpec): unknown => rest;

function validateOrder(spec: PodSpec, before: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['containers', 'initContainers'] as const) {
    const [now, was] = [spec[field] ?? [], before[field] ?? []];
    if (now.length !== was.length)
      errors.push(forbiddenField(`spec.${field}`, `${field} may not be added or removed on resize`));
    else
      for (const [index, { name }] of was.entries())
        if (now[index].name !== name)
          errors.push(
            forbiddenField(`spec.${field}[${index}].name`, `${field} may not be renamed or reordered on resize`),
          );
  }
  return errors;
}

function validateInit(next: Container, old: Container, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!sameButCpuAndMemory(next, old))
    errors.push(forbiddenField(path, 'only cpu and memory resources for init or sidecar containers are mutable'));
  if (isSidecar(next) || sameInternal('core.Container', next, old)) return errors;
  for (const { restartPolicy } of next.resizePolicy ?? [])
    if (restartPolicy === 'RestartContainer')
      errors.push(
        forbiddenField(path, 'non-sidecar init containers with a resize policy of RestartContainer cannot be resized'),
      );
  return errors;
}

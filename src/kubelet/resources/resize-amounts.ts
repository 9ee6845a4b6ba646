// Resources of a pod and its containers, compared and merged for an in-place resize. Pure.

import type { Container, Pod } from '../../api/api.ts';
import type { ContainerStatus } from '../../container-runtime/container-runtime.ts';
import { podResourcesAnnotation, resourcesAnnotation } from '../containers/annotations.ts';
import { newest, type RuntimePod } from '../pods/pod-actions.ts';
import { bytes, effectiveLimits, milli } from './resources.ts';

export type Resources = NonNullable<Container['resources']>;
export type Resource = 'cpu' | 'memory';

/** The resources that the node allocated to a pod. */
export interface Allocated {
  /** By container name. */
  readonly containers: Readonly<Record<string, Resources>>;
  /** Of the pod itself (spec.resources). */
  readonly pod?: Resources;
}

export const resizable: readonly Resource[] = ['memory', 'cpu'];
const lists = ['requests', 'limits'] as const;

/** All but ephemeral ones. */
export const resizableContainers = ({ spec }: Pod): readonly Container[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
];

export const allocatedOf = (pod: Pod): Allocated => ({
  containers: Object.fromEntries(resizableContainers(pod).map((c) => [c.name, c.resources ?? {}])),
  ...(pod.spec.resources && { pod: pod.spec.resources }),
});

/** The allocation before the pod's first resize: its containers were created with it. */
export function createdWith(pod: Pod, runtime: RuntimePod): Allocated {
  const statuses = resizableContainers(pod).map((c) => ({ c, status: newest(runtime.containers, c.name) }));
  // Containers without the annotation give no answer; those that have it and no other were made without pod resources.
  const created = statuses.flatMap(({ status }) => (status && annotated(status) ? [status] : []))[0];
  const podLevel = created ? annotatedPod(created) : pod.spec.resources;
  return {
    containers: Object.fromEntries(
      statuses.map(({ c, status }) => [c.name, (status && annotated(status)) ?? c.resources ?? {}]),
    ),
    ...(podLevel && { pod: podLevel }),
  };
}

const parsed = (text: string | undefined) => (text === undefined ? undefined : (JSON.parse(text) as Resources));
const annotated = (status: ContainerStatus) => parsed(status.annotations[resourcesAnnotation]);
const annotatedPod = (status: ContainerStatus) => parsed(status.annotations[podResourcesAnnotation]);

/** The resources at the container's creation, including the pod's limits if it has none. */
export function startedWith(status: ContainerStatus): Resources | undefined {
  const own = annotated(status);
  return own && withPodLimits(own, annotatedPod(status));
}

export const withPodLimits = (own: Resources | undefined, podLevel: Resources | undefined): Resources =>
  podLevel?.limits ? { ...own, limits: effectiveLimits(own, podLevel) } : (own ?? {});

export const differs = (pod: Pod, { containers, pod: podLevel }: Allocated): boolean =>
  !isSame(pod.spec.resources, podLevel) ||
  resizableContainers(pod).some((c) => !isSame(c.resources, containers[c.name]));

/** The pod with its allocated resources. */
export function withAllocated(pod: Pod, allocated: Allocated): Pod {
  if (!differs(pod, allocated)) return pod;
  const given = (list: readonly Container[]) =>
    list.map((c) => {
      const own = allocated.containers[c.name];
      return own ? { ...c, resources: { ...c.resources, ...own } } : c;
    });
  const { containers, initContainers, resources } = pod.spec;
  return {
    ...pod,
    spec: {
      ...pod.spec,
      containers: given(containers),
      ...(initContainers && { initContainers: given(initContainers) }),
      ...(resources && allocated.pod && { resources: { ...resources, ...allocated.pod } }),
    },
  };
}

/** In thousandths of a core or bytes; 0 if absent. */
export function amounts(of: Resources | undefined, resource: Resource) {
  const amount = resource === 'cpu' ? milli : bytes;
  return { requests: amount(of?.requests?.[resource]), limits: amount(of?.limits?.[resource]) };
}

export const isSame = (a: Resources | undefined, b: Resources | undefined): boolean =>
  resizable.every((resource) => lists.every((list) => amounts(a, resource)[list] === amounts(b, resource)[list]));

/** `from` with one resource of `to`. */
export function merged(from: Resources, to: Resources, resource: Resource): Resources {
  const one = (list: (typeof lists)[number]) => {
    const { [resource]: _old, ...rest } = from[list] ?? {};
    const value = to[list]?.[resource];
    return value === undefined ? rest : { ...rest, [resource]: value };
  };
  return Object.fromEntries(
    lists.filter((list) => from[list] || to[list]).map((list) => [list, one(list)]),
  ) as Resources;
}

/** The part of `actual` that the container itself specifies: the pod's limits are not the container's. */
export function ownPart(actual: Resources, own: Resources | undefined): Resources {
  const part = (list: (typeof lists)[number]) =>
    Object.fromEntries(Object.entries(actual[list] ?? {}).filter(([name]) => own?.[list]?.[name] !== undefined));
  return Object.fromEntries(lists.filter((list) => own?.[list]).map((list) => [list, part(list)])) as Resources;
}

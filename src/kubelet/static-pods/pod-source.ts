// Annotations of static pods and mirror pods.
// https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/

import type { Pod } from '../../api/api.ts';

/** Where the kubelet has the pod from: `file`, `http` or `api`. */
export const sourceAnnotation = 'kubernetes.io/config.source';
/** Identifies the content of a static pod. */
export const hashAnnotation = 'kubernetes.io/config.hash';
/** When the kubelet first saw a static pod. */
export const seenAnnotation = 'kubernetes.io/config.seen';
/** On a mirror pod: the hash of its static pod. */
export const mirrorAnnotation = 'kubernetes.io/config.mirror';

/** The API does not have the pod; it may have a mirror pod that represents it. */
export function isStatic({ metadata: { annotations } }: Pod): boolean {
  const source = annotations?.[sourceAnnotation];
  return source !== undefined && source !== 'api';
}

export const isMirror = ({ metadata: { annotations } }: Pod): boolean => annotations?.[mirrorAnnotation] !== undefined;

/** A pod of the API cannot claim to be a static one, which is never evicted. */
export function fromApi(pod: Pod): Pod {
  if (!isStatic(pod)) return pod;
  const annotations = { ...pod.metadata.annotations, [sourceAnnotation]: 'api' };
  return { ...pod, metadata: { ...pod.metadata, annotations } };
}

/** "namespace/name": a mirror pod has that of its static pod. */
export const fullName = ({ metadata: { namespace, name } }: Pod): string => `${namespace}/${name}`;

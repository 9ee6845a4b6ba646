import type { Deployment, PodTemplateSpec, ReplicaSet } from '../../api/api.ts';
import type { Tools } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';

export const hashLabel = 'pod-template-hash';

/** The state of one reconcile. Each write replaces `deployment` by its response. */
export interface Rollout {
  deployment: Deployment;
  /** Every ReplicaSet that the Deployment controls. */
  sets: ReplicaSet[];
  readonly tools: Tools;
}

export function sameTemplate(a: PodTemplateSpec, b: PodTemplateSpec): boolean {
  const comparable = ({ metadata, spec }: PodTemplateSpec) => {
    const { [hashLabel]: _, ...labels } = metadata?.labels ?? {};
    return { labels, annotations: metadata?.annotations ?? {}, finalizers: metadata?.finalizers ?? [], spec };
  };
  return deepEqual(comparable(a), comparable(b));
}

/** The set that has the Deployment's template now; the oldest should there be several. */
export function newSetOf({ deployment, sets }: Pick<Rollout, 'deployment' | 'sets'>): ReplicaSet | undefined {
  return sets
    .filter((set) => sameTemplate(set.spec.template, deployment.spec.template))
    .sort((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1))[0];
}

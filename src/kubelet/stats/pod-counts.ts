// Counts of the node's pods, as Kubernetes' kubelet has them: of its sources, and of its workers.
// https://kubernetes.io/docs/reference/instrumentation/metrics/

import { Exposition, type FamilyDescription } from './exposition.ts';

export interface CountedPod {
  readonly isStatic: boolean;
  /** `runtime_only`: containers without a pod, which another kubelet left; `orphan`: a pod that its source has no more. */
  readonly config: 'desired' | 'orphan' | 'runtime_only';
  readonly lifecycle: 'sync' | 'terminating' | 'terminated';
}

const families: readonly FamilyDescription[] = [
  [
    'kubelet_desired_pods',
    'gauge',
    'The number of pods the kubelet is being instructed to run. static is true if the pod is not from the apiserver.',
  ],
  [
    'kubelet_active_pods',
    'gauge',
    'The number of pods the kubelet considers active and which are being considered when admitting new pods. static is true if the pod is not from the apiserver.',
  ],
  [
    'kubelet_mirror_pods',
    'gauge',
    'The number of mirror pods the kubelet will try to create (one per admitted static pod)',
  ],
  [
    'kubelet_working_pods',
    'gauge',
    'Number of pods the kubelet is actually running, broken down by lifecycle phase, whether the pod is desired, orphaned, or runtime only (also orphaned), and whether the pod is static. An orphaned pod has been removed from local configuration or force deleted in the API and consumes resources that are not otherwise visible.',
  ],
];

/** The text of a scrape; series without pods have the value 0. */
export function podCounts(pods: readonly CountedPod[], mirrorPods: number): string {
  const text = new Exposition(families);
  for (const isStatic of [false, true]) {
    const labels = { static: isStatic ? 'true' : '' };
    const desired = pods.filter((pod) => pod.isStatic === isStatic && pod.config === 'desired');
    text.add('kubelet_desired_pods', labels, desired.length);
    text.add('kubelet_active_pods', labels, desired.filter(({ lifecycle }) => lifecycle !== 'terminated').length);
  }
  text.add('kubelet_mirror_pods', {}, mirrorPods);
  for (const lifecycle of ['sync', 'terminating', 'terminated'] as const)
    for (const [config, kind] of series) {
      const counted = pods.filter((pod) => pod.lifecycle === lifecycle && pod.config === config);
      const own = kind === 'unknown' ? counted : counted.filter((pod) => pod.isStatic === (kind === 'true'));
      text.add('kubelet_working_pods', { config, lifecycle, static: kind }, own.length);
    }
  return text.text();
}

const series = [
  ['desired', ''],
  ['desired', 'true'],
  ['orphan', ''],
  ['orphan', 'true'],
  ['runtime_only', 'unknown'],
] as const;

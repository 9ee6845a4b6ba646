// Applies spec.podFailurePolicy to failed pods.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy

import type { Job, Pod, PodFailurePolicyRule } from '../../api/api.ts';

type FailureVerdict =
  | { readonly action: 'Count' | 'Ignore' | 'FailIndex' }
  | { readonly action: 'FailJob'; readonly message: string };

/** By the first rule that matches; without one the failure counts. */
export function judgeFailure(job: Job, pod: Pod): FailureVerdict {
  const rules = job.spec.podFailurePolicy?.rules ?? [];
  for (const [index, rule] of rules.entries()) {
    const why = matchOf(rule, pod);
    if (!why) continue;
    if (rule.action !== 'FailJob') return { action: rule.action };
    const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
    return { action: 'FailJob', message: `${why(key)} matching FailJob rule at index ${index}` };
  }
  return { action: 'Count' };
}

function matchOf(rule: PodFailurePolicyRule, pod: Pod): ((key: string) => string) | undefined {
  const codes = rule.onExitCodes;
  if (codes) {
    const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
    for (const { name, state } of statuses) {
      const exitCode = state?.terminated?.exitCode;
      if (!exitCode || (codes.containerName && codes.containerName !== name)) continue;
      if (codes.values.includes(exitCode) === (codes.operator === 'In'))
        return (key) => `Container ${name} for pod ${key} failed with exit code ${exitCode}`;
    }
    return undefined;
  }
  const patterns = rule.onPodConditions ?? [];
  const found = pod.status?.conditions?.find(({ type, status }) =>
    patterns.some((pattern) => pattern.type === type && (pattern.status ?? 'True') === status),
  );
  return found && ((key) => `Pod ${key} has condition ${found.type}`);
}

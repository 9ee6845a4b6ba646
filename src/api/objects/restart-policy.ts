// Whether an ended container is restarted: by its policy and rules, or the pod's policy. Pure.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#individual-container-restart-policy-and-rules

import type { Container, PodSpec } from '../generated/types.ts';

type RestartAction = 'Restart' | 'RestartAllContainers';

export function restartsIn(spec: PodSpec, container: Container, exitCode: number): boolean {
  if (ruleAction(container, exitCode)) return true;
  const policy = container.restartPolicy ?? spec.restartPolicy ?? 'Always';
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

/** The action of the first rule that matches the exit code; rules require a policy of the container. */
export function ruleAction(container: Container, exitCode: number): RestartAction | undefined {
  if (!container.restartPolicy) return undefined;
  const rule = container.restartPolicyRules?.find(({ exitCodes }) => {
    const listed = exitCodes?.values?.includes(exitCode) ?? false;
    return exitCodes?.operator === 'NotIn' ? !listed : listed;
  });
  return rule?.action as RestartAction | undefined;
}

// Whether the kubelet restarts a container of a pod. Pure.

import { type Container, type Pod, restartsIn } from '../../api/api.ts';

export { ruleAction } from '../../api/api.ts';

export const restarts = (pod: Pod, container: Container, exitCode: number): boolean =>
  restartsIn(pod.spec, container, exitCode);

/** After a failed probe the rules do not count: the container has not ended by itself. */
export const restartsAfterProbe = (pod: Pod, container: Container): boolean =>
  (container.restartPolicy ?? pod.spec.restartPolicy ?? 'Always') !== 'Never';

import { forbidden, isNotFound, type Pod, type PriorityClass } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { AdmissionPlugin } from '../admission.ts';

/** Turns a pod's priorityClassName into its priority. https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/ */
export const priority = (client: () => Client): AdmissionPlugin => ({
  name: 'Priority',
  async admit({ operation, kind, subresource, name, object }) {
    if (operation !== 'CREATE' || kind.group !== '' || kind.kind !== 'Pod' || subresource || !object) return;
    const pod = object as Pod;
    const found = await classOf(pod, client());
    if (found === 'unknown')
      throw forbidden(kind, name, `no PriorityClass with name ${pod.spec.priorityClassName} was found`);
    const value = found?.value ?? 0;
    const policy = found?.preemptionPolicy ?? 'PreemptLowerPriority';
    if (pod.spec.priority !== undefined && pod.spec.priority !== value)
      throw forbidden(
        kind,
        name,
        `the integer value of priority (${pod.spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
      );
    if (pod.spec.preemptionPolicy !== undefined && pod.spec.preemptionPolicy !== policy)
      throw forbidden(
        kind,
        name,
        `the string value of PreemptionPolicy (${pod.spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
      );
    if (found) pod.spec.priorityClassName = found.metadata.name;
    pod.spec.priority = value;
    pod.spec.preemptionPolicy = policy as 'Never' | 'PreemptLowerPriority';
  },
});

/** The class that the pod names, or the one that is the default: the lowest of several. */
async function classOf(pod: Pod, client: Client): Promise<PriorityClass | 'unknown' | undefined> {
  const { priorityClassName } = pod.spec;
  if (priorityClassName)
    return client
      .get('priorityclasses', { name: priorityClassName })
      .catch((error) => (isNotFound(error) ? 'unknown' : Promise.reject(error)));
  const { items } = await client.list('priorityclasses');
  return items
    .filter((c) => c.globalDefault)
    .reduce<PriorityClass | undefined>((least, c) => (!least || c.value < least.value ? c : least), undefined);
}
